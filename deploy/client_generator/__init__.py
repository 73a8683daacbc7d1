"""Makes the client's models and methods out of the API's description.

The description is OpenAPI 3.1 whose endpoints are all called with POST.
"""

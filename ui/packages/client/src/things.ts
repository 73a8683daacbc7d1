/** What the API is about, as methods return it. */

import type { CamelCased } from './casing.js';
import type { components } from './description.js';

type Schemas = components['schemas'];

export type Channel = CamelCased<Schemas['Channel']>;
export type Conversation = CamelCased<Schemas['Conversation']>;
export type Message = CamelCased<Schemas['Message']>;
export type Tag = CamelCased<Schemas['Tag']>;
export type Template = CamelCased<Schemas['Template']>;

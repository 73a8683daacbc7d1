// The page on which one plays customers. What others have written is only ever put in as text.

const AGAIN_MS = 1000;
const KEPT_MAX = 2000; // messages that are kept here; the simulator keeps fewer
const STATES = {
  sending: 'Sending…',
  sent: 'Taken by the platform',
  'given up': 'Not taken by the platform',
  arrived: 'Delivered',
  seen: 'Seen',
};

const element = (id) => document.getElementById(id);
const [sources, customers, screen, words] = ['source', 'customer', 'screen', 'words'].map(element);
const bubbles = new Map(); // by number
const unread = new Map(); // by customer: how many messages came while another was played
const seen = new Map(); // by customer: the newest message that it was told of
let cast;
let isLooking = false;

/** Returns who there is, as soon as the simulator tells. */
async function theCast() {
  for (;;) {
    try {
      const answer = await fetch('/page/cast');
      if (answer.ok) return await answer.json();
    } catch {
      // it is not up, or not any more
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Has the customer do something; says what is wrong, if it cannot be done. */
async function act(asked) {
  let problem = '';
  try {
    const answer = await fetch('/page/act', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(asked),
    });
    if (!answer.ok) problem = (await answer.json()).problem;
  } catch {
    problem = 'The simulator does not answer.';
  }
  element('problem').textContent = problem;
  return problem === '';
}

const source = () => cast.sources.find(({ id }) => id === sources.value);

function chooseSource() {
  const { customers: people, note, has_pictures, has_locations } = source();
  customers.replaceChildren(...people.map(({ id, name }) => new Option(name, id)));
  element('picture').hidden = !has_pictures;
  element('location').hidden = !has_locations;
  element('note').hidden = note === '';
  element('note').textContent = note && `Answers do not come here: ${note}.`;
  chooseCustomer();
}

function chooseCustomer() {
  const shown = [...bubbles.values()].filter(({ customer }) => customer === customers.value);
  shown.sort((one, other) => one.number - other.number);
  screen.replaceChildren(...shown.map(item));
  screen.scrollTop = screen.scrollHeight;
  look();
}

/** Puts a message on the screen, or in the place of what it was before. */
function show(bubble) {
  const isNew = !bubbles.has(bubble.number);
  bubbles.set(bubble.number, bubble);
  if (bubbles.size > KEPT_MAX) forget(bubbles.keys().next().value);
  if (bubble.customer !== customers.value) {
    if (isNew && bubble.state === 'arrived') unread.set(bubble.customer, (unread.get(bubble.customer) ?? 0) + 1);
    label();
    return;
  }
  const there = screen.querySelector(`[data-number="${bubble.number}"]`);
  if (there) {
    refresh(there, bubble);
  } else {
    const next = [...screen.children].find(({ dataset }) => Number(dataset.number) > bubble.number);
    screen.insertBefore(item(bubble), next ?? null);
    screen.scrollTop = screen.scrollHeight;
  }
  look();
}

function forget(number) {
  bubbles.delete(number);
  screen.querySelector(`[data-number="${number}"]`)?.remove();
}

/** Shows how far a message is now; what it says stays, so that it is not read out again. */
function refresh(there, bubble) {
  const held = there.querySelector(':focus')?.textContent;
  there.dataset.state = bubble.state;
  there.querySelector('.state').replaceWith(state(bubble));
  [...there.querySelectorAll('button')].find(({ textContent }) => textContent === held)?.focus();
}

/** Takes note of what is on the screen, once for all that has come at a time. */
function look() {
  if (isLooking) return;
  isLooking = true;
  setTimeout(() => {
    isLooking = false;
    element('empty').hidden = screen.childElementCount > 0;
    unread.delete(customers.value);
    label();
    tellSeen(customers.value);
  });
}

/** Tells that the newest message was seen, and so all before it, if somebody looks. */
async function tellSeen(customer) {
  if (!source().tells_seen || document.visibilityState !== 'visible') return;
  const arrived = [...bubbles.values()].filter((each) => each.customer === customer && each.state === 'arrived');
  const newest = Math.max(0, ...arrived.map(({ number }) => number));
  if (newest <= (seen.get(customer) ?? 0)) return;
  seen.set(customer, newest);
  if (!(await act({ act: 'see', number: newest }))) seen.delete(customer);
}

/** Has the choices say how much is unread. */
function label() {
  for (const option of customers.options) {
    const { name } = source().customers.find(({ id }) => id === option.value);
    option.textContent = withCount(name, [option.value]);
  }
  for (const option of sources.options) {
    const { title, customers: people } = cast.sources.find(({ id }) => id === option.value);
    option.textContent = withCount(
      title,
      people.map(({ id }) => id),
    );
  }
}

function withCount(name, identifiers) {
  const count = identifiers.reduce((sum, id) => sum + (unread.get(id) ?? 0), 0);
  return count > 0 ? `${name} (${count} new)` : name;
}

function item(bubble) {
  const made = document.createElement('li');
  made.dataset.number = bubble.number;
  made.dataset.state = bubble.state;
  made.className = bubble.is_theirs ? 'theirs' : 'ours';
  made.append(...bubble.parts.map(part), state(bubble));
  return made;
}

function part({ kind, text }) {
  const made = document.createElement({ picture: 'img', raw: 'pre', button: 'span' }[kind] ?? 'p');
  if (kind === 'picture') {
    made.src = cast.picture;
    made.alt = text;
  } else if (kind === 'link') {
    const link = document.createElement('a');
    Object.assign(link, { href: text, textContent: text, target: '_blank', rel: 'noreferrer' });
    made.append(link);
  } else {
    made.textContent = text;
  }
  if (kind === 'button') made.className = 'label';
  return made;
}

function state(bubble) {
  const made = document.createElement('div');
  made.className = 'state';
  const told = document.createElement('span');
  const time = new Date(bubble.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const isTold = bubble.is_theirs || source()[`tells_${bubble.state}`];
  told.textContent = isTold ? `${time} · ${STATES[bubble.state]}` : time;
  made.append(told);
  if (!bubble.is_theirs && source().has_reactions) made.append(...cast.emoji.map((emoji) => reaction(bubble, emoji)));
  return made;
}

function reaction({ number, reaction: chosen }, emoji) {
  const made = document.createElement('button');
  const isChosen = chosen === emoji;
  made.type = 'button';
  made.textContent = emoji;
  made.setAttribute('aria-label', `React with ${emoji}`);
  made.setAttribute('aria-pressed', String(isChosen));
  made.addEventListener('click', () => act({ act: 'react', number, emoji: isChosen ? null : emoji }));
  return made;
}

/** Follows what is on the screens; a browser comes back by itself and says where it was. */
function follow() {
  const events = new EventSource('/page/screens');
  events.addEventListener('anew', ({ lastEventId }) => {
    if (!lastEventId.startsWith(`${cast.stage}.`)) return location.reload(); // another run: other people
    bubbles.clear();
    unread.clear();
    chooseCustomer();
  });
  events.addEventListener('bubble', ({ data }) => show(JSON.parse(data)));
  events.addEventListener('open', () => connection('live', 'Connected'));
  events.addEventListener('error', () => {
    connection('lost', 'Connecting again…');
    if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), AGAIN_MS);
  });
}

function connection(name, told) {
  element('connection').dataset.state = name;
  element('connection').textContent = told;
}

cast = await theCast();
words.maxLength = cast.text_max;
sources.replaceChildren(...cast.sources.map(({ id, title }) => new Option(title, id)));
sources.addEventListener('change', chooseSource);
customers.addEventListener('change', chooseCustomer);
document.addEventListener('visibilitychange', look);
element('picture').addEventListener('click', () => act({ act: 'picture', customer: customers.value }));
element('location').addEventListener('click', () => act({ act: 'location', customer: customers.value }));
words.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  element('composer').requestSubmit();
});
element('composer').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = words.value;
  words.value = '';
  if (!(await act({ act: 'say', customer: customers.value, text })) && words.value === '') words.value = text;
});
chooseSource();
follow();

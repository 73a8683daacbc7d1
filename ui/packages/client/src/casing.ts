/** Names of fields: snake_case on the wire, camelCase here. */

type Camel<Name> = Name extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : Name;

/** A value of the wire with its fields' names in camelCase. */
export type CamelCased<Value> = Value extends readonly (infer Item)[]
  ? CamelCased<Item>[]
  : Value extends object
    ? { [Name in keyof Value as Camel<Name>]: Name extends Spared ? Value[Name] : CamelCased<Value[Name]> }
    : Value;

type Spared = (typeof SPARED)[number];

/** Fields whose value is somebody's data, or is keyed by names and ids that are no fields of ours. */
const SPARED = [
  'content',
  'message',
  'data',
  'tags',
  'user_data',
  'suggestions',
  'conversations',
  'services',
  'components',
  'tag_config',
  'headers',
  'via',
] as const;

const spared: ReadonlySet<string> = new Set(SPARED);

/** Returns an answer with its fields' names in camelCase; what is no field keeps its name. */
export function camelCased(answer: unknown): unknown {
  return renamed(answer, camel);
}

/** Returns what is asked as the wire has it. */
export function snakeCased(asked: unknown): unknown {
  return renamed(asked, snake);
}

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (!isObject(value)) return value;
  const isMessage = 'delivery_state' in value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      const isKept = spared.has(name) || (isMessage && name === 'metadata');
      return [rename(name), isKept ? field : renamed(field, rename)];
    }),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Blob);
}

function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

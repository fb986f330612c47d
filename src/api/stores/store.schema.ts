import { z } from 'zod';
import { AppName, ChannelName } from '#contract/ids.js';
import { StoreLabel } from '#contract/runtime-config.js';

/** Names with a dot are those of the stores behind labels `default`. */
const NAME = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const NewStoreName = z.string().regex(new RegExp(`^${NAME}$`), 'expected lower-case letters, digits and inner hyphens, at most 63');
const StoreName = z.string().regex(new RegExp(`^${NAME}(?:\\.(?:key-value|sqlite))?$`), 'expected the name of a store');

export const StoreParams = z.object({ store: StoreName.describe('Name of the store.') });
const Kind = z.enum(['key-value', 'sqlite']);

/** The keys of its type are checked by the schema of the runtime configuration, which says more about what is wrong. */
const settings = 'The keys of the type stand beside it, as in a runtime configuration: `url` of redis and postgres, `url` and `token` of libsql, …';

export const NewStore = z.looseObject({
  name: NewStoreName.describe('Unique in the organisation.'),
  kind: Kind,
  type: z.string().default('spin').describe(`\`spin\` is a file, and each node has its own. ${settings}`),
});
export type NewStore = z.infer<typeof NewStore>;

export const StoreSettingsChange = z.looseObject({ type: z.string().default('spin').describe(settings) });
export type StoreSettingsChange = z.infer<typeof StoreSettingsChange>;

/** Which label of which app leads to the store. */
export const StoreLink = z.strictObject({
  app: AppName,
  channel: ChannelName.optional().describe('Without it: in every channel of the app that has no link of its own.'),
  label: StoreLabel.describe('As the manifest names it in key_value_stores or sqlite_databases, by the kind of the store.'),
});
export type StoreLink = z.infer<typeof StoreLink>;

export const StoreView = z.object({
  name: z.string(),
  kind: Kind,
  type: z.string(),
  settings: z.record(z.string(), z.unknown()).describe('Of its type; `***` stands for what is secret.'),
  app: z.string().nullable().describe('The app whose label `default` leads here without a link.'),
  links: z.array(z.object({ app: z.string(), channel: z.string().nullable().describe('null: every channel without a link of its own.'), label: z.string() })),
  createdAt: z.iso.datetime(),
});
export type StoreView = z.infer<typeof StoreView>;

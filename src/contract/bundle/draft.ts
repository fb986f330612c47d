import type { z } from 'zod';
import type { RawComponent, RawVariables } from './schema-component.js';
import type { RawHttpTrigger } from './schema-v2.js';
import type { TomlPath } from './toml.js';

/** A manifest of either version, its shapes checked, its references not yet. `at` is where a part stands in the document. */
export interface Draft {
  manifestVersion: 1 | 2;
  application: { name: string; version: string; description: string; authors: string[] };
  variables: z.infer<typeof RawVariables>;
  triggers: DraftTrigger[];
  components: DraftComponent[];
}

export interface DraftTrigger {
  at: TomlPath;
  /** '' until it is made up. */
  id: string;
  /** Id, or a component written inside the trigger. */
  component: string | DraftComponent | undefined;
  raw: Pick<RawHttpTrigger, 'route' | 'executor' | 'static_response'>;
}

export interface DraftComponent {
  at: TomlPath;
  /** '' for one written inside a trigger, until it is made up. */
  id: string;
  raw: RawComponent;
  /** Where `raw.variables` stands below `at`: version 1 calls it `config`. */
  variablesKey: 'variables' | 'config';
}

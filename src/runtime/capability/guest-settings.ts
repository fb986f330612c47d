/** What the operator of a node allows guests beyond what their manifests ask for; the same for all of them. */
export interface GuestSettings {
  /** Size of a private /tmp; 0: there is none. */
  tmpBytes: number;
  /** What a SQLite database in a file may grow to, its log not counted. */
  sqliteBytes: number;
  /** What an app may keep in its blobstore on this node; 0: there is none. */
  blobstoreBytes: number;
  /** Base URL of the collector that takes guests' telemetry by OTLP over HTTP; null: there is none. */
  otelEndpoint: string | null;
}

/** What stands in the configuration when nobody sets anything. */
export const NO_GUEST_SETTINGS: GuestSettings = { tmpBytes: 0, sqliteBytes: 1024 * 1024 * 1024, blobstoreBytes: 0, otelEndpoint: null };

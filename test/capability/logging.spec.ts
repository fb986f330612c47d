import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { logLines } from '#runtime/capability/logging/logging.capability.js';
import { TestGuest } from './guest-state.js';
import { InterfaceGuests } from './interface-guest.js';

let guest: TestGuest;
beforeEach(() => { guest = new TestGuest(); });
afterEach(() => guest.dispose());

describe('wasi:logging/logging', () => {
  it('writes messages of guests into the log, those that somebody should look at as errors', async () => {
    const logging = new InterfaceGuests(guest).of('wasi:logging/logging@0.1.0-draft');
    for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'critical']) await logging('log', level, 'db', `a ${level}`);
    expect(guest.output.stdout).toBe('TRACE [db] a trace\nDEBUG [db] a debug\nINFO [db] a info\n');
    expect(guest.output.stderr).toBe('WARN [db] a warn\nERROR [db] a error\nCRITICAL [db] a critical\n');
  });

  it('lets no message look like two', () => {
    expect(logLines('info', '', 'one\nERROR [x] two\r\nthree')).toBe('INFO one\n  ERROR [x] two\n  three\n');
    expect(logLines('info', 'a\nERROR', 'm')).toBe('INFO [a ERROR] m\n');
  });
});

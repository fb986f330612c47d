/**
 * Codes of Prisma (P…: connection refused, timed out, closed; pool or transaction not had in time), of Node's sockets and of PostgreSQL
 * (57P…: shutting down or starting up; 53300: too many connections) for a database that is away, not wrong.
 */
const CODES = new Set([
  'P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2037', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', '57P01', '57P02', '57P03', '53300',
]);
/** Raw queries carry the code in their text alone. */
const MESSAGE = /can't reach database server|server has closed the connection|connection terminated|terminating connection|too many clients|the database system is/i;
const MAX_CAUSES = 5;

/** Whether an error says that the database cannot be reached at the moment. */
export function isUnavailable(error: unknown): boolean {
  let current = error;
  for (let depth = 0; current instanceof Error && depth < MAX_CAUSES; depth++) {
    const { code, message, cause } = current as Error & { code?: unknown };
    if ((typeof code === 'string' && CODES.has(code)) || (isPrisma(current) && MESSAGE.test(message))) return true;
    current = cause;
  }
  return false;
}

function isPrisma(error: Error): boolean {
  return error.name.startsWith('Prisma') || error.name === 'DriverAdapterError';
}

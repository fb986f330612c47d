import { Err } from '#engine/run/host.js';
import type { HostMemory } from '../host-memory.js';
import { GET, isAuthority, isPathWithQuery, methodName, schemeName, type Method, type Scheme } from './method.js';

const REFUSED = new Err(undefined);

/** The control data of a request that a guest makes (RFC 9110 §6.2); each setter refuses what HTTP could not carry. */
export class RequestControl {
  method: Method = GET;
  pathWithQuery: string | undefined;
  scheme: Scheme | undefined;
  authority: string | undefined;
  private chargedBytes = 0;

  /** @param memory the account of the guest that makes it; null: it came from outside */
  constructor(private readonly memory: HostMemory | null = null) {}

  setMethod(method: Method): Err | undefined {
    if (methodName(method) === null) return REFUSED;
    this.charge(method.val);
    this.method = method;
    return undefined;
  }

  setPathWithQuery(path: string | undefined): Err | undefined {
    if (path !== undefined && !isPathWithQuery(path)) return REFUSED;
    this.charge(path);
    this.pathWithQuery = path;
    return undefined;
  }

  setScheme(scheme: Scheme | undefined): Err | undefined {
    if (scheme && schemeName(scheme) === null) return REFUSED;
    this.charge(scheme?.tag === 'other' ? scheme.val : undefined);
    this.scheme = scheme;
    return undefined;
  }

  setAuthority(authority: string | undefined): Err | undefined {
    if (authority !== undefined && !isAuthority(authority)) return REFUSED;
    this.charge(authority);
    this.authority = authority;
    return undefined;
  }

  /** The request is sent or gone. */
  drop(): void {
    this.memory?.give(this.chargedBytes);
    this.chargedBytes = 0;
  }

  /** What it replaces is not refunded: nobody sets the same thing many times. */
  private charge(text: string | undefined): void {
    if (!text || !this.memory) return;
    this.chargedBytes += text.length;
    this.memory.take(text.length);
  }
}

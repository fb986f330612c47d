import { Err } from '#engine/run/host.js';
import { GET, isAuthority, isPathWithQuery, methodName, schemeName, type Method, type Scheme } from './method.js';

const REFUSED = new Err(undefined);

/** The control data of a request that a guest makes (RFC 9110 §6.2); each setter refuses what HTTP could not carry. */
export class RequestControl {
  method: Method = GET;
  pathWithQuery: string | undefined;
  scheme: Scheme | undefined;
  authority: string | undefined;

  setMethod(method: Method): Err | undefined {
    if (methodName(method) === null) return REFUSED;
    this.method = method;
    return undefined;
  }

  setPathWithQuery(path: string | undefined): Err | undefined {
    if (path !== undefined && !isPathWithQuery(path)) return REFUSED;
    this.pathWithQuery = path;
    return undefined;
  }

  setScheme(scheme: Scheme | undefined): Err | undefined {
    if (scheme && schemeName(scheme) === null) return REFUSED;
    this.scheme = scheme;
    return undefined;
  }

  setAuthority(authority: string | undefined): Err | undefined {
    if (authority !== undefined && !isAuthority(authority)) return REFUSED;
    this.authority = authority;
    return undefined;
  }
}

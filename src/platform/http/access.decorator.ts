import { SetMetadata } from '@nestjs/common';
import type { Scope } from './api-request.js';

export const SCOPES = Symbol('scopes');
export const PUBLIC = Symbol('public');

/** The token must have one of these scopes; `admin` has every right. Without this decorator: `admin` alone. */
export const Scopes = (...scopes: Scope[]): ClassDecorator & MethodDecorator => SetMetadata(SCOPES, scopes);

/** No token is needed. */
export const Public = (): ClassDecorator & MethodDecorator => SetMetadata(PUBLIC, true);

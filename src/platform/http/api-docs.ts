import type { INestApplication } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { RequestHandler } from 'express';
import swaggerUi from 'swagger-ui-express';

/**
 * `/openapi.json` and `/docs`. The description is made when it is first asked for: @nestjs/swagger is a large module, and a start waits
 * for nothing that it does not need.
 */
export class ApiDocs {
  private document: Promise<OpenAPIObject> | undefined;

  constructor(
    private readonly app: INestApplication,
    private readonly version: string,
  ) {}

  readonly json: RequestHandler = (_request, response, next) => {
    this.describe().then((document) => response.json(document), next);
  };

  /** To be mounted behind `swaggerUi.serve`, which has the page's scripts and styles. */
  readonly page: RequestHandler = (request, response, next) => {
    this.describe().then((document) => swaggerUi.setup(document as swaggerUi.JsonObject)(request, response, next), next);
  };

  private describe(): Promise<OpenAPIObject> {
    return (this.document ??= import('./openapi.js').then(({ describeApi }) => describeApi(this.app, this.version)));
  }
}

import { All, Get, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { WhorlError } from '#contract/errors.js';
import type { ApiRequest } from '#platform/http/api-request.js';
import { OciController } from './oci.decorator.js';

/** The base URL (distribution-spec, determining support), where clients also see whether their token counts. */
@OciController()
export class OciBaseController {
  @Get('/v2')
  base(@Res() response: Response): void {
    response.status(200).json({});
  }
}

/** What no other route below /v2 takes: so that this is said in the specification's form. The last one. */
@OciController()
export class OciUnknownController {
  @All('/v2/*path')
  unknown(@Req() request: ApiRequest): never {
    throw new WhorlError('REGISTRY_ROUTE_UNKNOWN', `there is no ${request.method} ${request.path.slice(0, 255)} in the distribution specification`);
  }
}

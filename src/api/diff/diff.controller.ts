import { Controller, Get } from '@nestjs/common';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { DiffParams, VersionDiff } from './diff.schema.js';
import { DiffService } from './diff.service.js';

const CompareVersions = endpoint({
  summary: 'Compare two versions of an app',
  description:
    'What is different in `other`, compared with `version`: components and their files, triggers, variables, the manifest, and what it asks of the ' +
    'platform that the other did not. Any two versions, in any order.',
  tag: 'versions',
  params: DiffParams,
  scopes: ['approve'],
  responses: { 200: { description: 'The difference.', body: VersionDiff } },
  errors: ['API_APP_NOT_FOUND', 'API_VERSION_NOT_FOUND'],
});

@Controller('v1/apps/:app/versions/:version/diff')
export class DiffController {
  constructor(private readonly diffs: DiffService) {}

  @Get(':other')
  @Endpoint(CompareVersions)
  compare(@Input() { params }: InputOf<typeof CompareVersions>): Promise<VersionDiff> {
    return this.diffs.compare(params.app, params.version, params.other);
  }
}

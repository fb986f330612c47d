import { Controller, Get } from '@nestjs/common';
import { z } from 'zod';
import { Endpoint } from '#platform/http/endpoint.decorator.js';
import { endpoint } from '#platform/http/endpoint.js';
import { VERSION } from '#platform/version.js';
import { HealthService } from './health.service.js';

const StatusView = z.object({ status: z.literal('ok') });
const VersionInfo = z.object({ name: z.literal('whorl'), version: z.string(), node: z.string().describe('Of Node.js.') });

const Healthz = endpoint({
  summary: 'Whether the process answers',
  tag: 'health',
  public: true,
  responses: { 200: { description: 'It does.', body: StatusView } },
});

const Readyz = endpoint({
  summary: 'Whether the database and the artifact store can be reached',
  tag: 'health',
  public: true,
  responses: { 200: { description: 'They can.', body: StatusView } },
  errors: ['API_NOT_READY'],
});

const GetVersion = endpoint({
  summary: 'Which Whorl this is',
  tag: 'health',
  public: true,
  responses: { 200: { description: 'Name and version.', body: VersionInfo } },
});

@Controller()
export class HealthController {
  constructor(private readonly health: HealthService) {}

  @Get('healthz')
  @Endpoint(Healthz)
  healthz(): z.infer<typeof StatusView> {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Endpoint(Readyz)
  async readyz(): Promise<z.infer<typeof StatusView>> {
    await this.health.requireReady();
    return { status: 'ok' };
  }

  @Get('version')
  @Endpoint(GetVersion)
  version(): z.infer<typeof VersionInfo> {
    return { name: 'whorl', version: VERSION, node: process.version };
  }
}

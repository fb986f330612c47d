import { Controller, Get } from '@nestjs/common';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { StorageUsageQuery, StorageUsageView } from './storage-usage.schema.js';
import { StorageUsageService } from './storage-usage.service.js';

const GetStorageUsage = endpoint({
  summary: 'What the organisation keeps in the artifact store',
  tag: 'usage',
  query: StorageUsageQuery,
  responses: { 200: { description: 'What it is now, and what it was.', body: StorageUsageView } },
});

@Controller('v1/usage/storage')
export class StorageUsageController {
  constructor(private readonly usage: StorageUsageService) {}

  @Get()
  @Endpoint(GetStorageUsage)
  get(@Input() { query }: InputOf<typeof GetStorageUsage>): Promise<StorageUsageView> {
    return this.usage.get(query);
  }
}

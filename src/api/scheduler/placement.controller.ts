import { Controller, Get } from '@nestjs/common';
import { z } from 'zod';
import { ChannelName } from '#contract/ids.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { AppParams } from '../apps/app.schema.js';
import { FleetView, PlacementView } from './placement.schema.js';
import { PlacementsService } from './placements.service.js';

const GetPlacement = endpoint({
  summary: 'Show where a channel is and why',
  description: 'For every node of the fleet, why it was chosen or why not, by the same functions that decide.',
  tag: 'placement',
  params: AppParams,
  query: z.object({ channel: ChannelName.optional().describe('`production` unless said.') }),
  responses: { 200: { description: 'Its replicas, and what speaks for and against each node.', body: PlacementView } },
  errors: ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND'],
});

const GetFleet = endpoint({
  summary: 'Show how the scheduler is',
  description: 'Who decides where channels are, whether decisions are made at all, and what they could not give.',
  tag: 'placement',
  responses: { 200: { description: 'The scheduler as it last looked.', body: FleetView } },
});

@Controller('v1')
export class PlacementController {
  constructor(private readonly placements: PlacementsService) {}

  @Get('apps/:app/placement')
  @Endpoint(GetPlacement)
  placement(@Input() { params, query }: InputOf<typeof GetPlacement>): Promise<PlacementView> {
    return this.placements.show(params.app, query.channel);
  }

  @Get('fleet')
  @Endpoint(GetFleet)
  fleet(): Promise<FleetView> {
    return this.placements.fleetState();
  }
}

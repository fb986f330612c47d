import { Controller, Get, Post, Put, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { Engines, NodeAssignments, NodeReport, UNSAID_ENGINES } from '#contract/assignment.js';
import { JournalBatch, JournalReceipt } from '#contract/journal.js';
import { NodeHeartbeat, NodeReceipt } from '#contract/node-facts.js';
import { NODE_ROUTES } from '#contract/node-routes.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { StatementsService } from '../identity/statements.service.js';
import { SchedulerService } from '../scheduler/scheduler.service.js';
import { JournalService } from './journal.service.js';
import { EnginesQuery, NodeParams } from './node.schema.js';
import { NodesService } from './nodes.service.js';

const MAX_WAIT_S = 120;
const ofNodes = { tag: 'nodes', scopes: ['node'], params: NodeParams } as const;

const GetAssignments = endpoint({
  ...ofNodes,
  summary: 'What a node should hold',
  description: 'Answers at once when the state differs from `after`, else when it changes or the time is up.',
  query: z.object({
    after: z.string().optional().describe('The revision that the node holds.'),
    engines: EnginesQuery,
    wait: z.coerce.number().int().min(0).max(MAX_WAIT_S).default(0).describe('Seconds to wait for a change.'),
  }),
  responses: { 200: { description: 'What the node should hold: of what it held at `after` only what has changed.', body: NodeAssignments } },
  errors: ['API_NODE_REMOVED'],
});

const PutReport = endpoint({
  ...ofNodes,
  summary: 'What a node holds',
  description: 'All that it says of itself, after each change. One that is older than another that came first changes nothing.',
  body: NodeReport,
  responses: { 200: { description: 'What became of the report.', body: NodeReceipt } },
  errors: ['API_NODE_REMOVED'],
});

const PostHeartbeat = endpoint({
  ...ofNodes,
  summary: 'That a node is there',
  description: 'And that nothing has changed since the report that it names.',
  body: NodeHeartbeat,
  responses: { 200: { description: 'Whether that is the report that is known.', body: NodeReceipt } },
  errors: ['API_NODE_REMOVED'],
});

const PostJournal = endpoint({
  ...ofNodes,
  summary: "Ship a node's journal",
  description: 'Each entry is taken once. Entries after a gap are not taken: `nextSeq` says what to send next.',
  body: JournalBatch,
  responses: { 200: { description: 'What is taken for good.', body: JournalReceipt } },
});

@Controller()
export class NodesController {
  constructor(
    private readonly nodes: NodesService,
    private readonly scheduler: SchedulerService,
    private readonly statements: StatementsService,
    private readonly journal: JournalService,
  ) {}

  @Get(NODE_ROUTES.assignments.path)
  @Endpoint(GetAssignments)
  async assignments(@Input() { params, query }: InputOf<typeof GetAssignments>, @Res({ passthrough: true }) response: Response): Promise<NodeAssignments> {
    await this.nodes.requirePresent(params.node);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const engines: Engines = query.engines?.split(',') ?? UNSAID_ENGINES;
    const after = await this.statements.heldRevision(query.after);
    return this.statements.signAssignments(await this.scheduler.next({ node: params.node, after, waitS: query.wait, engines }, gone.signal));
  }

  @Put(NODE_ROUTES.report.path)
  @Endpoint(PutReport)
  report(@Input() { params, body }: InputOf<typeof PutReport>): Promise<NodeReceipt> {
    return this.nodes.report(params.node, body);
  }

  @Post(NODE_ROUTES.heartbeat.path)
  @Endpoint(PostHeartbeat)
  heartbeat(@Input() { params, body }: InputOf<typeof PostHeartbeat>): Promise<NodeReceipt> {
    return this.nodes.heartbeat(params.node, body);
  }

  @Post(NODE_ROUTES.journal.path)
  @Endpoint(PostJournal)
  take(@Input() { params, body }: InputOf<typeof PostJournal>): Promise<JournalReceipt> {
    return this.journal.take(params.node, body);
  }
}

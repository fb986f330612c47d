import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { rmSync } from 'node:fs';
import { buildWat } from '../fixtures/build-wat.js';
import { Blobs, type Built } from './front-fixture.js';
import { compileProcesses, TestControlPlane, TestNode } from './node-fixture.js';

/** Real node processes for the tests of one file, with the `loop` fixture built. What a test starts goes when it is over. */
export class NodeSuite {
  readonly blobs = new Blobs();
  fixture!: Built;
  private dist!: string;
  private readonly nodes: TestNode[] = [];
  private readonly planes: TestControlPlane[] = [];

  constructor() {
    beforeAll(async () => {
      this.dist = await compileProcesses();
      this.fixture = await this.blobs.build(await buildWat('loop'));
    });
    afterEach(async () => {
      for (const node of this.nodes.splice(0)) await node.remove();
      for (const plane of this.planes.splice(0)) await plane.stop();
    });
    afterAll(() => {
      this.blobs.remove();
      rmSync(this.dist, { recursive: true, force: true });
    });
  }

  /** A node that is not started yet. */
  node(control: TestControlPlane, settings: Record<string, string> = {}): TestNode {
    const node = new TestNode(this.dist, control, settings);
    this.nodes.push(node);
    return node;
  }

  /** A control plane, and a node that is not started yet. */
  async setUp(settings: Record<string, string> = {}): Promise<{ control: TestControlPlane; node: TestNode }> {
    const control = new TestControlPlane(this.blobs);
    this.planes.push(control);
    await control.start();
    return { control, node: this.node(control, settings) };
  }

  /** The same, and the node is started. */
  async start(settings: Record<string, string> = {}): Promise<{ control: TestControlPlane; node: TestNode }> {
    const made = await this.setUp(settings);
    await made.node.start();
    return made;
  }
}

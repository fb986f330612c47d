// `whorl`: the command. Kept free of imports that an old Node.js cannot load, to be able to say so.
const OLDEST_NODE = 26;
const USAGE = `usage: whorl COMMAND [FLAGS]

  whorl up      the whole platform on this machine
  whorl node    a node of a platform that runs elsewhere

whorl COMMAND --help says more.`;

const [command, ...args] = process.argv.slice(2);

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  process.stderr.write(`whorl needs Node.js ${OLDEST_NODE} or later, this is ${process.version}: in a checkout, start it with 'npx whorl', which brings its own\n`);
  process.exitCode = 1;
} else if (command === 'up') {
  const { main } = await import('./up/main.js');
  await main(args);
  // Connections that are kept for another request would hold us for seconds.
  process.exit();
} else if (command === 'node') {
  await startNode();
} else {
  (command === '--help' || command === '-h' ? process.stdout : process.stderr).write(`${USAGE}\n`);
  process.exitCode = command === '--help' || command === '-h' ? 0 : 1;
}

/** Its flags are variables of the node's process, which this one becomes. */
async function startNode(): Promise<void> {
  const { NODE_USAGE, readNodeFlags } = await import('./whorl/node-flags.js');
  try {
    const variables = readNodeFlags(args, process.cwd(), process.env['WHORL_NODE_DIR']);
    if (!variables) return void process.stdout.write(`${NODE_USAGE}\n`);
    Object.assign(process.env, variables);
  } catch (error) {
    process.stderr.write(`${(error as { code?: string }).code ?? 'NODE_CONFIG_INVALID'}: ${(error as Error).message}\n`);
    process.exitCode = 1;
    return;
  }
  await import('./node.js');
}

export {};

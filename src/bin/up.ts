// `whorl up`: the whole platform on one machine. Kept free of imports that an old Node.js cannot load, to be able to say so.
const OLDEST_NODE = 26;

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  process.stderr.write(`whorl needs Node.js ${OLDEST_NODE} or later, this is ${process.version}: start with 'npm run up', which brings its own\n`);
  process.exitCode = 1;
} else {
  const { main } = await import('./up/main.js');
  await main(process.argv.slice(2));
  // Connections that are kept for another request would hold us for seconds.
  process.exit();
}

export {};

// The tables, in Markdown.
const number = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : '-');
const HEAD = '| | concurrent | requests/s | of bare | of bare by CPU | p50 ms | p99 ms | added p99 ms | CPU us/request | cores | RSS MB | load generator, cores |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|';

export function throughputTable(title, figures) {
  const lines = figures.map((each) => {
    const name = each.errors > 0 ? `${each.name} (${each.errors} errors: ${each.firstError.split('\r\n', 1)[0].slice(0, 80)})` : each.name;
    const cells = [
      name, each.connections, number(each.perSecond, 0), number(each.ratio, 3), number(each.cpuRatio, 3), number(each.p50, 3), number(each.p99, 2), number(each.addedP99, 2),
      number(each.cpuUs, 1), number(each.cores, 2), number(each.rssBytes / 1e6, 0), number(each.loadCores, 2),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [`\n${title}\n`, HEAD, ...lines].join('\n');
}

export function echoTable(figures) {
  const lines = figures.map(({ name, mbPerSecond, ratio, grownBytes }) => `| ${name} | ${number(mbPerSecond, 0)} | ${number(ratio, 2)} | ${number(grownBytes / 1e6, 1)} |`);
  return ['\nEcho of 100 MB, sent and received at once, one connection\n', '| | MB/s | of bare | RSS grows by, MB |\n|---|--:|--:|--:|', ...lines].join('\n');
}

export function targetTable(rows) {
  const verdict = ({ ok, unsure }) => (unsure ? 'not judged' : ok ? 'pass' : 'short');
  const lines = rows.map(({ what, value, target, note, ...row }) => `| ${what} | ${Number.isInteger(value) ? value : number(value, 2)} | ${target} | ${verdict(row)} | ${note} |`);
  return ['\nTargets\n', '| what | figure | target | | |\n|---|--:|---|---|---|', ...lines].join('\n');
}

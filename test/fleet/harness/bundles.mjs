// Apps that say which version they are, and go wrong as they are asked to.
import { readFile } from 'node:fs/promises';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { packBundle } from '#contract/bundle/pack.js';

const at = (path) => new URL(`../../../${path}`, import.meta.url);
const TEXT_BYTES = 16;
const HANDLE = '(func (export "wasi:http/incoming-handler@0.2.3#handle") (param $request i32) (param $out i32)';
const STATUS = '  (import "wasi:http/types@0.2.3" "[method]outgoing-response.set-status-code" (func $set-status (param i32 i32) (result i32)))\n';

/**
 * A bundle of one small component that answers `text` (at most 16 ASCII characters). Sticky by the field `x-user`.
 * @param failing true: answers 500 where the path begins with /e
 * @param loops so many turns of a loop before each answer, to take time
 * @param whorl more lines of the manifest's [application.tool.whorl]
 */
export async function appBundle(text, { failing = false, loops = 0, whorl = '' } = {}) {
  const manifest = `spin_manifest_version = 2
[application]
name = "fleet"
version = "${text}"
[application.tool.whorl]
key_header = "x-user"
${whorl}
[[trigger.http]]
route = "/..."
component = "web"
[component.web]
source = "app.wasm"
`;
  return packBundle([{ path: 'spin.toml', content: Buffer.from(manifest) }, { path: 'app.wasm', content: await component(text, { failing, loops }) }]);
}

async function component(text, { failing, loops }) {
  const [source, witSource] = await Promise.all([readFile(at('test/fixtures/wat/loop.wat'), 'utf8'), readFile(at('examples/tiny-wat/wit/tiny.wit'), 'utf8')]);
  let wat = source
    .replace('"ok\\0a"', `"${text.padEnd(TEXT_BYTES)}\\0a"`)
    .replace('(i32.const 1072) (i32.const 3) (i32.const 16)', `(i32.const 1072) (i32.const ${TEXT_BYTES + 1}) (i32.const 16)`);
  if (failing) {
    wat = wat
      .replace('  (memory (export', `${STATUS}  (memory (export`)
      .replace('(call $misbehave (call $second-letter (local.get $request)))', '(local $letter i32)\n    (local.set $letter (call $second-letter (local.get $request)))')
      .replace('(call $body (local.get $answer) (i32.const 16))', `(if (i32.eq (local.get $letter) (i32.const 0x65)) (then (drop (call $set-status (local.get $answer) (i32.const 500)))))
    (call $body (local.get $answer) (i32.const 16))`);
  }
  if (loops > 0) {
    wat = wat
      .replace(HANDLE, `(func $work (local $i i32) (loop $on (br_if $on (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const ${loops})))))\n  ${HANDLE}`)
      .replace('(local.set $headers (call $fields))', '(call $work)\n    (local.set $headers (call $fields))');
  }
  return componentNew(await componentEmbed({ binary: await parse(wat), witSource, world: 'tiny' }), []);
}

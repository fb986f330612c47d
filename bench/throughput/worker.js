// workerd's side of the comparison: the same answers as bare.server.mjs, by its own means.
function fnv1a(bytes) {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

async function answerJson(request) {
  const body = new Uint8Array(await request.arrayBuffer());
  const headers = [...request.headers];
  return Response.json({
    method: request.method, path: new URL(request.url).pathname, headers: headers.length, agent: request.headers.get('user-agent'), bytes: body.length, fnv1a: fnv1a(body),
  });
}

export default {
  fetch(request) {
    if (request.url.endsWith('/json')) return answerJson(request);
    return new Response('hello from tiny 1\n', { headers: { 'content-type': 'text/plain; charset=utf-8' } });
  },
};

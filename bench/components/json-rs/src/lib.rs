//! A typical small handler: reads all headers and the whole body, and answers with JSON about them.
use std::io::{Read, Write};

use serde::Serialize;
use wasi::http::types::{Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Handler;

wasi::http::proxy::export!(Handler);

#[derive(Serialize)]
struct Answer<'a> {
    method: &'a str,
    path: &'a str,
    headers: usize,
    agent: Option<String>,
    bytes: usize,
    fnv1a: String,
}

impl wasi::exports::http::incoming_handler::Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let headers = request.headers().entries();
        let agent = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("user-agent")).map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let path = request.path_with_query().unwrap_or_default();
        let method = request.method();
        let body = read(&request);
        let answer = Answer {
            method: method_name(&method),
            path: &path,
            headers: headers.len(),
            agent,
            bytes: body.len(),
            fnv1a: format!("{:08x}", fnv1a(&body)),
        };
        respond(out, &serde_json::to_vec(&answer).expect("an answer is JSON"));
    }
}

fn read(request: &IncomingRequest) -> Vec<u8> {
    let mut bytes = Vec::new();
    let body = request.consume().expect("the body is taken once");
    let mut stream = body.stream().expect("the stream is taken once");
    stream.read_to_end(&mut bytes).expect("the body arrives");
    drop(stream);
    IncomingBody::finish(body);
    bytes
}

fn respond(out: ResponseOutparam, json: &[u8]) {
    let headers = Fields::from_list(&[("content-type".into(), b"application/json".to_vec())]).expect("a valid header");
    let response = OutgoingResponse::new(headers);
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let mut stream = body.write().expect("the stream is taken once");
    stream.write_all(json).expect("the client listens");
    drop(stream);
    OutgoingBody::finish(body, None).expect("the body is whole");
}

fn method_name(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    }
}

/// FNV-1a, 32 bit.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

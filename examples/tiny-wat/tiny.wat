;; A whole wasi:http application: answers every request with one line of text.
;; Where a call ends in (i32.const 16) or (i32.const 64), that is the address the host writes its answer to.
(module
  (import "wasi:http/types@0.2.3" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.3" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.3" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.3" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[method]outgoing-body.write" (func $write (param i32 i32)))
  (import "wasi:http/types@0.2.3" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.3" "[static]response-outparam.set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.3" "[resource-drop]incoming-request" (func $drop-request (param i32)))
  (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush" (func $print (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.3" "[resource-drop]output-stream" (func $drop-stream (param i32)))

  (memory (export "memory") 1)
  (data (i32.const 1024) "content-type")
  (data (i32.const 1040) "text/plain; charset=utf-8")
  ;; The digit is the version that build.mjs was asked for.
  (data (i32.const 1072) "hello from tiny 1\0a")

  ;; Memory for what the host hands over: taken from the end, given back by nobody, since each request gets a fresh state.
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  (func (export "wasi:http/incoming-handler@0.2.3#handle") (param $request i32) (param $out i32)
    (local $headers i32) (local $answer i32) (local $content i32) (local $stream i32)
    (local.set $headers (call $fields))
    (call $append (local.get $headers) (i32.const 1024) (i32.const 12) (i32.const 1040) (i32.const 25) (i32.const 16))
    (local.set $answer (call $response (local.get $headers)))
    (call $body (local.get $answer) (i32.const 16))
    (local.set $content (i32.load (i32.const 20)))
    (call $set (local.get $out) (i32.const 0) (local.get $answer)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $write (local.get $content) (i32.const 16))
    (local.set $stream (i32.load (i32.const 20)))
    (call $print (local.get $stream) (i32.const 1072) (i32.const 18) (i32.const 16))
    (call $drop-stream (local.get $stream))
    (call $finish (local.get $content) (i32.const 0) (i32.const 0) (i32.const 64))
    (call $drop-request (local.get $request))))

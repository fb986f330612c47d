import type { ErrorEntry } from './entry.js';

export const BUNDLE_ERRORS = {
  BUNDLE_ARCHIVE_INVALID: {
    status: 400, title: 'The bundle is no valid tar.gz', fault: 'user',
    hint: 'Send a gzip-compressed tar whole, e.g. tar -czf app.tar.gz -C app spin.toml … and curl --data-binary @app.tar.gz.',
  },
  BUNDLE_TRUNCATED: {
    status: 400, title: 'The bundle ends too early', fault: 'user',
    hint: 'The upload was cut off or the archive is damaged: pack it again and send it again.',
  },
  BUNDLE_ENTRY_REFUSED: {
    status: 422, title: 'The bundle holds an entry that is refused', fault: 'user',
    hint: 'Only regular files and folders with relative paths may be in a bundle: no links, devices, absolute paths, ".." or duplicates.',
  },
  BUNDLE_TOO_LARGE: {
    status: 413, title: 'The bundle is too large', fault: 'user',
    hint: 'Leave out of the bundle what spin.toml does not name: sources, build folders, node_modules.',
  },
  BUNDLE_MANIFEST_MISSING: {
    status: 422, title: 'The bundle has no spin.toml at its root', fault: 'user',
    hint: 'Pack from inside the app\'s folder: tar -czf app.tar.gz spin.toml … (the root of the archive must hold spin.toml).',
  },
  BUNDLE_MANIFEST_SYNTAX: {
    status: 422, title: 'spin.toml is no valid TOML, or a locked app no valid JSON', fault: 'user',
    hint: 'Mend the syntax at the line and column given (TOML 1.0, UTF-8); push an image again with `spin registry push`.',
  },
  BUNDLE_MANIFEST_INVALID: {
    status: 422, title: 'spin.toml, or the locked app of an image, is not valid', fault: 'user',
    hint: 'Mend each field listed under errors; the message has its line in spin.toml, or its path in the locked app.',
  },
  BUNDLE_UNSUPPORTED: {
    status: 422, title: 'The app asks for something that is not supported', fault: 'user',
    hint: 'Remove what the message names from spin.toml (and push again), or serve it by another means.',
  },
  BUNDLE_FILE_MISSING: {
    status: 422, title: 'The bundle, or the image, lacks a file that is named in it', fault: 'user',
    hint: 'Build the app first, and pack the file at the path that spin.toml gives, relative to spin.toml; push an image again, whole.',
  },
  BUNDLE_ROUTE_INVALID: {
    status: 422, title: 'A route is not valid', fault: 'user',
    hint: 'Write a route as /path, /users/:id or /files/... (":name" is one segment, "/..." the rest).',
  },
  BUNDLE_TEMPLATE_INVALID: {
    status: 422, title: 'A template is not valid', fault: 'user',
    hint: 'Write a reference as {{ name }}, where name is a variable of [variables] in spin.toml.',
  },
} as const satisfies Record<string, ErrorEntry>;

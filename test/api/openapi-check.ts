import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, unknown> }> }>>;
}

const DOCUMENT = 'openapi';

/** Holds answers against the API's own description. */
export class OpenApiCheck {
  private readonly ajv = new Ajv2020({ strict: false, allErrors: true });
  private readonly compiled = new Map<string, ValidateFunction>();

  constructor(readonly document: OpenApiDocument) {
    // The package's types describe its CommonJS form.
    (addFormats as unknown as (ajv: Ajv2020) => void)(this.ajv);
    this.ajv.addFormat('base64', /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/);
    this.ajv.addFormat('base64url', /^[A-Za-z0-9_-]*$/);
    this.ajv.addSchema(document, DOCUMENT);
  }

  /** Reads `/openapi.json` of a running control plane. */
  static async load(baseUrl: string): Promise<OpenApiCheck> {
    const response = await fetch(`${baseUrl}/openapi.json`);
    return new OpenApiCheck((await response.json()) as OpenApiDocument);
  }

  /**
   * Throws when the document does not know the route, the status or the content type, or when the body is not what its schema says.
   * `body` is the parsed JSON; undefined when the answer has none.
   */
  check(method: string, path: string, answer: { status: number; contentType: string | null; body: unknown }): void {
    const template = this.findPath(method, path);
    if (template === undefined) {
      // Only an unknown route may be missing in the document.
      if (answer.status === 404) return;
      throw new Error(`${method} ${path} is not in the document`);
    }
    const where = `${method} ${template} ${answer.status}`;
    const response = this.document.paths[template]![method.toLowerCase()]!.responses[answer.status];
    if (!response) throw new Error(`${where}: the document has no such status`);
    const types = Object.keys(response.content ?? {});
    if (types.length === 0) {
      if (answer.body !== undefined) throw new Error(`${where}: the document says that there is no body`);
      return;
    }
    const type = answer.contentType?.split(';')[0]!.trim() ?? '';
    if (!types.includes(type)) throw new Error(`${where}: ${type} is not among ${types.join(', ')}`);
    const pointer = ['paths', template, method.toLowerCase(), 'responses', String(answer.status), 'content', type, 'schema'];
    const validate = this.validator(pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/'));
    if (!validate(answer.body)) throw new Error(`${where}: ${this.ajv.errorsText(validate.errors)}\n${JSON.stringify(answer.body, null, 2)}`);
  }

  private validator(pointer: string): ValidateFunction {
    const known = this.compiled.get(pointer) ?? this.ajv.compile({ $ref: `${DOCUMENT}#/${pointer}` });
    this.compiled.set(pointer, known);
    return known;
  }

  /** The template with the fewest parameters that the path fits. */
  private findPath(method: string, path: string): string | undefined {
    const parts = path.split('?')[0]!.split('/');
    const fits = (template: string): boolean => {
      const pattern = template.split('/');
      return pattern.length === parts.length && pattern.every((part, i) => part.startsWith('{') || part === parts[i]);
    };
    return Object.keys(this.document.paths)
      .filter((template) => fits(template) && this.document.paths[template]![method.toLowerCase()])
      .sort((a, b) => a.split('{').length - b.split('{').length)[0];
  }
}

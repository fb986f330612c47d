import { WhorlError } from '#contract/errors.js';
import { checkLowerSnakeId } from './identifiers.js';

export type TemplatePart = { text: string } | { variable: string };

/**
 * Parses a template: text with `{{ name }}` in it, blanks inside do not count, there is no escape (Spin's manifest). Throws
 * BUNDLE_TEMPLATE_INVALID for an unmatched `{{` or what is no name of a variable.
 */
export function parseTemplate(template: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  for (;;) {
    const open = template.indexOf('{{', at);
    const text = template.slice(at, open < 0 ? undefined : open);
    if (text !== '') parts.push({ text });
    if (open < 0) return parts;
    const close = template.indexOf('}}', open + 2);
    if (close < 0) throw new WhorlError('BUNDLE_TEMPLATE_INVALID', `unmatched '{{' in template ${JSON.stringify(template)}`);
    const variable = template.slice(open + 2, close).trim();
    const problem = checkLowerSnakeId(variable);
    if (problem) throw new WhorlError('BUNDLE_TEMPLATE_INVALID', `template ${JSON.stringify(template)} refers to ${JSON.stringify(variable)}, which is no name of a variable: ${problem}`);
    parts.push({ variable });
    at = close + 2;
  }
}

/** The variables a template refers to. */
export function templateVariables(template: string): string[] {
  return parseTemplate(template).flatMap((part) => ('variable' in part ? [part.variable] : []));
}

/**
 * Puts values into a template. Throws BUNDLE_TEMPLATE_INVALID as `parseTemplate` does and for a variable without a value, by name.
 * @param template the text, or the parts when it is expanded often
 */
export function expandTemplate(template: string | readonly TemplatePart[], values: Readonly<Record<string, string>>): string {
  const parts = typeof template === 'string' ? parseTemplate(template) : template;
  return parts.map((part) => {
    if ('text' in part) return part.text;
    if (!Object.hasOwn(values, part.variable)) throw new WhorlError('BUNDLE_TEMPLATE_INVALID', `unknown variable "${part.variable}"`);
    return values[part.variable]!;
  }).join('');
}

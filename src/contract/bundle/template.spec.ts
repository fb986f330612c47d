import { describe, expect, it } from '@jest/globals';
import { expandTemplate, parseTemplate, templateVariables } from './template.js';

describe(parseTemplate.name, () => {
  it.each([
    ['plain', [{ text: 'plain' }]],
    ['', []],
    ['{{x}}', [{ variable: 'x' }]],
    ['a{{ x }}b{{y}}', [{ text: 'a' }, { variable: 'x' }, { text: 'b' }, { variable: 'y' }]],
    ['}} { x }', [{ text: '}} { x }' }]],
  ])('reads %j', (template, parts) => expect(parseTemplate(template)).toEqual(parts));

  it.each([['{{ x', /unmatched '\{\{'/], ['{{}}', /must not be empty/], ['{{ x-y }}', /not '-'/], ['{{ X }}', /lower-case/], ['{{ 4x }}', /start with a letter/]])('refuses %j', (template, message) => {
    expect(() => parseTemplate(template)).toThrow(message);
    expect(() => parseTemplate(template)).toThrow(expect.objectContaining({ code: 'BUNDLE_TEMPLATE_INVALID' }));
  });

  it('lists the variables', () => expect(templateVariables('{{a}}-{{ b_c }}-{{a}}')).toEqual(['a', 'b_c', 'a']));
});

describe(expandTemplate.name, () => {
  it('puts values in, once', () => {
    expect(expandTemplate('{{ a }}/{{b}}', { a: '{{ b }}', b: '2' })).toBe('{{ b }}/2');
    expect(expandTemplate(parseTemplate('x{{a}}'), { a: '1' })).toBe('x1');
  });
  it.each(['x', 'constructor'])('names a variable that has no value: %s', (name) => expect(() => expandTemplate(`{{ ${name} }}`, {})).toThrow(`unknown variable "${name}"`));
});

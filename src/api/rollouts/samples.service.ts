import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { NodeSamples, VersionSample } from '#contract/samples.js';
import { Sample } from './analysis/interval.js';
import { JudgementRepository } from './judgement.repository.js';

/** Takes in what nodes report of versions under comparison; it is judged at the next look at the rollout. */
@Injectable()
export class SamplesService {
  constructor(private readonly repository: JudgementRepository) {}

  /** Each report once. Throws API_INPUT_INVALID for counts that cannot be. */
  async take(node: string, { incarnation, seq, channels }: NodeSamples): Promise<void> {
    const checked = channels.map(({ samples, ...rest }, c) => ({ ...rest, samples: samples.map((sample, s) => check(sample, `channels.${c}.samples.${s}`)) }));
    await this.repository.keep(`${node}/${incarnation}`, seq, checked);
  }
}

function check(sample: VersionSample, field: string): Sample {
  const parsed = Sample.safeParse(sample);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = [field, ...issue!.path].join('.');
  throw new WhorlError('API_INPUT_INVALID', `${name}: ${issue!.message}`, { fields: { [name]: [issue!.message] } });
}

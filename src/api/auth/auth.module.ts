import { Global, Module } from '@nestjs/common';
import { TokenAuthority } from '#contract/token-authority.js';
import { AuthService } from './auth.service.js';
import { TokenRepository } from './token.repository.js';
import { TokensController } from './tokens.controller.js';
import { TokensService } from './tokens.service.js';

/** Tokens, for every module: the registry asks by the name of the contract's class. */
@Global()
@Module({
  controllers: [TokensController],
  providers: [TokenRepository, AuthService, TokensService, { provide: TokenAuthority, useExisting: AuthService }],
  exports: [AuthService, TokenAuthority],
})
export class AuthModule {}

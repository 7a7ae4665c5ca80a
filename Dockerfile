# Licet in an image: built from the sources, run as an ordinary account on a read-only root file system; only /data is written to.
#   docker build -t licet . && docker run --read-only -v licet:/data -p 4000:4000 -e LICET_ISSUER=… --env-file … licet
# The image runs in production mode: without an https issuer and a root secret it says what is missing and stops.

FROM node:24.21.0-slim AS build
WORKDIR /licet
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN node scripts/build.mjs

FROM node:24.21.0-slim AS packages
WORKDIR /licet
COPY package.json package-lock.json .npmrc ./
# The bundled Node and the compilers are optional or development packages: the image has its own Node.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24.21.0-slim
WORKDIR /licet
RUN install -d -o node -g node -m 0700 /data
COPY package.json ./
COPY config ./config
COPY views ./views
COPY locales ./locales
COPY --from=packages /licet/node_modules ./node_modules
COPY --from=build /licet/dist ./dist
ENV NODE_ENV=production UV_THREADPOOL_SIZE=8 LICET_MODE=production LICET_HOST=0.0.0.0 LICET_DATA_DIR=/data
USER node
VOLUME /data
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.LICET_PORT || 4000}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/main.js", "serve"]

/**
 * The OpenAPI 3.1 document of everything below `/api/`, made from the URL table itself: what a route takes, gives and demands is written nowhere
 * else. Which answers a route has follows from what it is made of; the tests call every route and hold it to that.
 */
import { z } from 'zod'
import { errorCodes } from '../errors.ts'
import type { Route } from '../http/route.ts'
import { Problem } from './shapes.ts'

type Json = Readonly<Record<string, unknown>>

/** Below the API, for every method an `ANY` route answers. */
const ANY = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** The document. `routes` may hold more than the API; the rest is left out. */
export function describeApi(routes: readonly Route[], { issuer, title }: { issuer: string; title: string }): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of apiRoutes(routes)) {
    const place = pathOf(route.path)
    paths[place] ??= {}
    for (const method of route.method === 'ANY' ? ANY : [route.method])
      paths[place][method.toLowerCase()] = operationOf(route, method)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: `${title} API`,
      version: '1',
      description: 'Access tokens, API keys and personal access tokens are sent as bearers.',
    },
    servers: [{ url: issuer }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: schemaOf(Problem, 'output') },
    },
  }
}

/** Routes that the reference shows, in the order of the table. */
export function apiRoutes(routes: readonly Route[]): readonly Route[] {
  return routes.filter(({ path, document }) => path.startsWith('/api/v1/') && document === undefined)
}

/** Every status a route may answer with, its own first. */
export function statusesOf({ method, path, access, input, file, status }: Route): readonly number[] {
  const isOpen = access.name === 'anyone'
  const takesBody = (input !== undefined || file !== undefined) && ['POST', 'PUT', 'PATCH'].includes(method)
  const isChange = !['GET', 'ANY'].includes(method)
  return [
    status,
    ...(input || file ? [400] : []),
    ...(isOpen ? [] : [401, 403]),
    ...(path.includes(':') ? [404] : []),
    ...(isChange && !isOpen ? [409] : []),
    ...(takesBody ? [413, 415] : []),
    ...(isOpen ? [] : [429]),
    503,
  ]
}

const pathOf = (path: string): string => path.replace(/:(\w+)/g, '{$1}').replace(/\/\*$/, '/{path}')

function operationOf(route: Route, method: string): Json {
  const { path, access, summary, input, file, status } = route
  const takesBody = input !== undefined && ['POST', 'PUT', 'PATCH'].includes(route.method)
  const isOpen = access.name === 'anyone'
  return {
    operationId: `${method.toLowerCase()} ${pathOf(path)}`.replace(/[^a-z0-9]+/gi, '_').replace(/_$/, ''),
    ...(summary ? { summary } : {}),
    description: access.describe,
    tags: [path.split('/')[3] ?? 'api'],
    security: isOpen ? [] : [{ bearer: access.scopes ?? [] }],
    parameters: [...pathParameters(path), ...(input && !takesBody ? queryParameters(input) : [])],
    ...(file ? { requestBody: fileBody(file) } : {}),
    ...(input && takesBody
      ? { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(input, 'input') } } } }
      : {}),
    responses: Object.fromEntries(statusesOf(route).map((one) => [one, one === status ? answer(route) : refusal(one)])),
  }
}

/** A file is the whole body at the API. */
function fileBody({ types }: NonNullable<Route['file']>): Json {
  return { required: true, content: Object.fromEntries(types.map((type) => [type, {}])) }
}

function answer({ output, outputType }: Route): Json {
  if (outputType) return { description: 'Done.', content: { [outputType]: { schema: {} } } }
  if (!output) return { description: 'Done.' }
  return { description: 'Done.', content: { 'application/json': { schema: schemaOf(output, 'output') } } }
}

function refusal(status: number): Json {
  const titles = Object.values(errorCodes).filter((code) => code.status === status)
  return {
    description: [...new Set(titles.map(({ title }) => title))].join('; '),
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
}

function pathParameters(path: string): Json[] {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)
  return [...names, ...(path.endsWith('/*') ? ['path'] : [])].map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

function queryParameters(input: z.ZodType): Json[] {
  const { properties = {}, required = [] } = schemaOf(input, 'input') as { properties?: Json; required?: string[] }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }))
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _version, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}

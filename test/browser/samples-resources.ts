/**
 * Samples of the pages about resources that developers bring.
 */
import { page } from '../../src/http/views.ts'

const ids = ['profile', 'security', 'keys', 'tokens', 'apps', 'developer', 'sessions', 'activity'] as const
const paths: Partial<Record<(typeof ids)[number], string>> = { profile: '/settings', developer: '/developer/apps' }
export const developerShell = {
  here: 'developer',
  sections: ids.map((id) => ({ id, path: paths[id] ?? `/settings/${id}` })),
} as const
const shell = developerShell
const hostile = `<b>App</b>\u202E${'W'.repeat(40)}`

export const challenge = {
  domain: 'notebook.example',
  txt: { name: '_licet-challenge.notebook.example', value: `licet-verify=${'aB3'.repeat(10)}` },
  file: {
    url: 'https://notebook.example/.well-known/licet-challenge.txt',
    content: `licet-verify=${'aB3'.repeat(10)}`,
  },
} as const
const resource = {
  id: 'r1',
  identifier: 'https://mcp.notebook.example/mcp',
  name: 'Notebook search',
  state: 'unproven',
} as const
const mcpScopes = [
  { name: 'mcp:read', sentence: 'See tools and what they return', chosen: 'optional' },
  { name: 'mcp:write', sentence: 'Run tools that change things', chosen: 'none' },
] as const
const resourceForm = {
  shell,
  name: resource.name,
  identifier: resource.identifier,
  scopes: mcpScopes,
  problems: [],
} as const
const metadata = {
  url: 'https://mcp.notebook.example/.well-known/oauth-protected-resource/mcp',
  text: JSON.stringify({ resource: resource.identifier, authorization_servers: ['http://localhost:4000'] }, null, 2),
}

export const resourceSamples = {
  'developer-resources': page('developer/resources', {
    shell,
    rows: [
      resource,
      { ...resource, id: 'r2', state: 'live' },
      { ...resource, id: 'r3', name: hostile, identifier: `https://mcp.example/${'x'.repeat(200)}`, state: 'refused' },
    ],
    isFirstPage: false,
    mayAdd: true,
    done: 'removed',
  }),
  'developer-resources-empty': page('developer/resources', { shell, rows: [], isFirstPage: true, mayAdd: true }),
  'developer-resource-new': page('developer/resource-new', {
    ...resourceForm,
    problems: [
      { field: 'identifier', code: 'not_https' },
      { field: 'scopes', code: 'missing' },
    ],
  }),
  'developer-resource': page('developer/resource', {
    ...resourceForm,
    resource,
    challenge,
    metadata,
    done: 'created',
  }),
  'developer-resource-refused': page('developer/resource', {
    ...resourceForm,
    name: hostile,
    identifier: `https://mcp.example/${'x'.repeat(200)}`,
    resource: { ...resource, name: hostile, state: 'refused' },
    refusedReason: `Reported ${'often'.repeat(20)}`,
    challenge,
    metadata,
    problems: [{ field: 'form', code: 'forbidden' }],
  }),
} as const

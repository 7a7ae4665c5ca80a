/**
 * A cast for tests of delegation: a person's agent, a tool server that it calls, and a store of records that the tool server calls further on.
 */
import { type Answer, type AppClient, type Deployment, newPerson, registerApp, type SignedIn } from './app-client.ts'

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
export const TOOLS = 'https://tools.example.test/mcp'
export const RECORDS = 'https://records.example.test'

/** For the configuration of the server. */
export const resources = [
  { identifier: TOOLS, name: 'Tools', scopes: ['mcp:read', 'mcp:write', 'data:read', 'data:write'] },
  { identifier: RECORDS, name: 'Records', scopes: ['data:read', 'data:write'] },
]

export interface Cast {
  /** A web app that says it is an agent. */
  readonly scout: AppClient
  /** The tool server: a service that serves `TOOLS` and acts for `scout`. */
  readonly tools: AppClient
  /** The store of records: a service that serves `RECORDS` and acts for every app. */
  readonly records: AppClient
  readonly ada: SignedIn
}

export async function newCast(deployment: Deployment): Promise<Cast> {
  const scout = await registerApp(deployment, {
    name: 'Scout',
    agent: true,
    scopes: ['data:read', 'data:write', 'mcp:read'],
    optionalScopes: [],
  })
  const tools = await registerApp(deployment, {
    name: 'Tools',
    type: 'service',
    scopes: ['data:read', 'mcp:read', 'mcp:write'],
    resourceServer: TOOLS,
    actsFor: [scout.clientId],
  })
  const records = await registerApp(deployment, {
    name: 'Records',
    type: 'service',
    scopes: ['data:read', 'data:write'],
    resourceServer: RECORDS,
    actsFor: ['*'],
  })
  return { scout, tools, records, ada: await newPerson(deployment) }
}

/** The agent's tokens for the tool server, by the real code flow. */
export async function signIn({ scout, ada }: Pick<Cast, 'scout' | 'ada'>, params = {}): Promise<Answer['body']> {
  const asked = { scope: 'openid data:read data:write mcp:read', resource: TOOLS, ...params }
  const answer = await scout.redeem(await scout.obtainCode(ada.person, ada.email, asked), { resource: TOOLS })
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.body
}

/** One exchange of an access token. */
export function exchange(by: AppClient, token: string, params = {}, sending = {}): Promise<Answer> {
  const subject = { subject_token: token, subject_token_type: ACCESS_TOKEN }
  return by.post('/token', { grant_type: EXCHANGE, ...subject, ...params }, sending)
}

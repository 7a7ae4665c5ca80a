/**
 * Single connections on the consent page: which are shown, what is ticked beforehand, and what the form means. What an app names is ticked, what it
 * leaves to the person is not; each may be refused, for they are the person's own accounts elsewhere.
 */
import type { ConnectionRow, ConnectionsAsked } from '../http/consent-views.ts'
import { connectionOf, connectionRight, type ScopeMap } from '../oidc/grants.ts'
import type { OpenInteraction } from '../oidc/interaction.ts'

/** The value of a tick: `read google`. */
export const tickOf = (right: string): string => right.slice(right.indexOf(' ') + 1)

/** The connections of the request, undefined when it is not about any. */
export function connectionsAsked(
  interaction: Pick<OpenInteraction, 'plan' | 'connections'>,
  isShown: (right: string, place: string) => boolean,
): ConnectionsAsked | undefined {
  const { plan, connections = [] } = interaction
  if (!plan) return undefined
  const rights = Object.entries(plan.asked).flatMap(([place, list]) => list.filter((right) => isShown(right, place)))
  const asked = rights.map(connectionOf).filter((one) => one !== undefined)
  if (asked.length === 0) return undefined
  const chosenFor = asked.filter(({ id }) => id === '*').map(({ action }) => action)
  const known = connections === 'unknown' ? [] : connections
  const held = new Set(Object.values(plan.held).flat())
  const hasBefore = held.size > 0
  const rows = known.flatMap(({ id, name, icon }): ConnectionRow[] => {
    const named = asked.filter((one) => one.id === id).map(({ action }) => action)
    const actions = (['read', 'write'] as const).filter((one) => named.includes(one) || chosenFor.includes(one))
    if (actions.length === 0) return []
    const ticks = actions.map((action) => {
      const right = connectionRight(action, id)
      return {
        action,
        value: tickOf(right),
        checked: named.includes(action) || held.has(right),
        isNew: hasBefore && !held.has(right),
      }
    })
    return [{ id, name, ...(icon === undefined ? {} : { icon }), ticks }]
  })
  const missing = [...new Set(asked.map(({ id }) => id))].filter(
    (id) => id !== '*' && !known.some((one) => one.id === id),
  )
  return {
    rows,
    personChooses: chosenFor.length > 0,
    isUnknown: connections === 'unknown',
    notConnected: connections === 'unknown' ? [] : missing,
  }
}

interface Meaning {
  readonly scopes: ScopeMap
  readonly refused: ScopeMap
}

interface Sent {
  readonly ticks: ReadonlySet<string>
  readonly readOnly: boolean
}

/** What the ticks mean: those given and those taken back. Only what was shown is touched, but reading only holds for what was allowed before too. */
export function connectionAnswer(
  { plan, connections = [] }: OpenInteraction,
  isShown: (right: string, place: string) => boolean,
  sent: Sent,
): Meaning {
  const ids = connections === 'unknown' ? [] : connections.map(({ id }) => id)
  const answers = Object.entries(plan?.asked ?? {}).map(([place, list]) => {
    const touched = list.filter((right) => isShown(right, place) || (sent.readOnly && isWrite(right)))
    return [place, answerAt(touched, ids, sent)] as const
  })
  return {
    scopes: Object.fromEntries(answers.map(([place, { given }]) => [place, given])),
    refused: Object.fromEntries(answers.map(([place, { refused }]) => [place, refused])),
  }
}

const isWrite = (right: string): boolean => connectionOf(right)?.action === 'write'

/** At one resource. A choice stands with what was chosen under it; without anything it is taken back, and asked again. */
function answerAt(list: readonly string[], ids: readonly string[], { ticks, readOnly }: Sent) {
  const asked = list.map(connectionOf).filter((one) => one !== undefined)
  const choices = asked.filter(({ id }) => id === '*').map(({ action }) => action)
  const named = asked.filter(({ id }) => ids.includes(id))
  const offered = [...named, ...choices.flatMap((action) => ids.map((id) => ({ action, id })))]
  const given = offered
    .filter(({ action, id }) => ticks.has(tickOf(connectionRight(action, id))))
    .map(({ action, id }) => ({ action: readOnly ? ('read' as const) : action, id }))
  const chosen = choices
    .map((action) => (readOnly ? ('read' as const) : action))
    .filter((action) => given.some((one) => one.action === action))
  const rights = [
    ...given.map(({ action, id }) => connectionRight(action, id)),
    ...chosen.map((action) => connectionRight(action, '*')),
  ]
  const all = [...offered, ...asked].map(({ action, id }) => connectionRight(action, id))
  return { given: [...new Set(rights)], refused: [...new Set(all)].filter((right) => !rights.includes(right)) }
}

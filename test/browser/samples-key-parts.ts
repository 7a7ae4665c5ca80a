/**
 * What samples of the pages about keys share.
 */
export const sections = (['profile', 'security', 'keys', 'tokens', 'sessions', 'activity'] as const).map((id) => ({
  id,
  path: id === 'profile' ? '/settings' : `/settings/${id}`,
}))
export const place = (room: 'keys' | 'tokens') => ({ shell: { here: room, sections }, room, path: `/settings/${room}` })
export const at = Date.UTC(2026, 9, 14, 9, 12)
export const DAY = 86_400_000
export const hostile = `<b>Key</b>\u202E${'W'.repeat(40)}`
export const mark = 'k3mXw9QpT2k3mXw9QpT2ab'
export const hint = 'licet_key_…9QpT'

export const scope = (name: string, sentence: string) => ({ name, sentence })

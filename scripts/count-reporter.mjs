/**
 * A reporter for node:test that `test.mjs` adds up: one JSON line with the counts, one per skipped test with its reason.
 * What a person reads comes from the `spec` reporter beside it.
 */
// biome-ignore lint/style/noDefaultExport: node:test loads a reporter by its default export.
export default async function* count(events) {
  for await (const { type, data } of events) {
    if (type === 'test:summary' && data.file === undefined) yield `${JSON.stringify({ counts: data.counts })}\n`
    const skip = type === 'test:pass' || type === 'test:fail' ? data.skip : undefined
    if (skip !== undefined && skip !== false)
      yield `${JSON.stringify({ skipped: data.name, reason: skip === true ? '' : skip, file: data.file })}\n`
  }
}

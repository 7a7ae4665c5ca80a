/**
 * What this server believes of others: assertions of trusted issuers, and who their subjects are here.
 */
import { type Assertions, createAssertions } from './assertions.ts'
import { createSubjectLinks, type SubjectLinks } from './subject-links.ts'
import type { TrustedIssuer } from './trusted-issuer.ts'

export interface Federation {
  readonly issuers: readonly TrustedIssuer[]
  readonly assertions: Assertions
  readonly links: SubjectLinks
}

type Dependencies = Parameters<typeof createAssertions>[0] & Parameters<typeof createSubjectLinks>[0]

export function createFederation(dependencies: Dependencies): Federation {
  return {
    issuers: dependencies.issuers,
    assertions: createAssertions(dependencies),
    links: createSubjectLinks(dependencies),
  }
}

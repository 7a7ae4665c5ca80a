#!/usr/bin/env node
/**
 * `npx licet …`: every command through the launcher. Without a command it shows what there is.
 */
import { launch } from './launch.mjs'

process.exitCode = await launch(process.argv.slice(2))

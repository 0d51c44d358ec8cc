import { execFileSync } from 'node:child_process'

/** Builds the package and the demo before the tests run, for those that run what ships. */
export default function buildOnce(): void {
  execFileSync('npm', ['run', '--silent', 'build:tools'], { stdio: 'inherit' })
}

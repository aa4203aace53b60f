// The documentation of each detector, docs/detectors/<name>.md, built into the console; loaded when it is looked at.

export interface DetectorPage {
  name: string;
  /** Made from our own Markdown at build time. */
  html: string;
}

const PAGES = import.meta.glob<DetectorPage>('../../../../docs/detectors/*.md', { import: 'default' });

/** The page of a detector; none if there is no such detector. */
export async function detectorPage(name: string): Promise<DetectorPage | undefined> {
  return await PAGES[`../../../../docs/detectors/${name}.md`]?.();
}

/** The names of all detectors that have a page, in the order of the alphabet. */
export const DOCUMENTED: readonly string[] = Object.keys(PAGES)
  .map((path) => path.slice(path.lastIndexOf('/') + 1, -'.md'.length))
  .toSorted();

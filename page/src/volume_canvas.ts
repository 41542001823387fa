/** Three cuts through a volume, drawn by NiiVue; it is loaded when the first volume is opened. */
import { NVImage, Niivue, SHOW_RENDER, SLICE_TYPE } from "@niivue/niivue";

/** Voxels as NIfTI has them: column, row, slice, from 0. */
export type Voxel = [number, number, number];

const TINT = 0.35;
const RENDER_TILE = { never: SHOW_RENDER.NEVER, always: SHOW_RENDER.ALWAYS };
/** What of 0 to 255 is dark in the surface: speckle would hide everything behind it. */
const SOLID_FROM = 100;

/** Shares of the three axes, of which NiiVue counts that of the rows from below. */
const upright = ([column, row, slice]: number[]): number[] => [column!, 1 - row!, slice!];

export class VolumeCanvas {
  private constructor(
    private readonly shown: Niivue,
    private readonly size: Voxel,
  ) {}

  /** `size` is that of all voxels, which coarser ones stand for until they have come. */
  static async on(canvas: HTMLCanvasElement, size: Voxel, moved: (at: Voxel) => void): Promise<VolumeCanvas> {
    const shown = new Niivue({
      backColor: [0, 0, 0, 1],
      crosshairColor: [0.42, 0.71, 1, 0.8],
      crosshairWidth: 0.3,
      crosshairWidthUnit: "percent",
      show3Dcrosshair: true,
      isOrientationTextVisible: false,
      multiplanarShowRender: RENDER_TILE.never,
      viewModeHotKey: "",
      clipPlaneHotKey: "",
      cycleClipPlaneHotKey: "",
      dragAndDropEnabled: false,
      loadingText: "",
      logLevel: "error",
    });
    await shown.attachToCanvas(canvas, false);
    shown.setSliceType(SLICE_TYPE.MULTIPLANAR);
    const made = new VolumeCanvas(shown, size);
    shown.onLocationChange = () => moved(made.at());
    return made;
  }

  /** Show these voxels in the place of those before, at the same crosshair. */
  async show(buffer: ArrayBuffer, name: string): Promise<void> {
    const image = await NVImage.loadFromUrl({ url: name, name, buffer, cal_min: 0, cal_max: 255 });
    // Each change of what is drawn takes seconds where there is no graphics card: all that belongs to it is one change.
    this.shown.volumes = [];
    this.shown.addVolume(image);
  }

  /** Tint what is outlined. */
  async outline(buffer: ArrayBuffer, name: string): Promise<void> {
    const tint = { colormap: "warm", opacity: TINT, cal_min: 127, cal_max: 255 };
    this.shown.addVolume(await NVImage.loadFromUrl({ url: name, name, buffer, ...tint }));
  }

  at(): Voxel {
    const cross = upright([...this.shown.scene.crosshairPos]);
    return this.size.map((length, axis) => Math.round(cross[axis]! * length - 0.5)) as Voxel;
  }

  go(to: Voxel): void {
    this.shown.scene.crosshairPos = upright(to.map((place, axis) => (place + 0.5) / this.size[axis]!)) as never;
    this.shown.drawScene();
    this.shown.createOnLocationChange();
  }

  setSurface(isShown: boolean): void {
    this.shown.opts.multiplanarShowRender = isShown ? RENDER_TILE.always : RENDER_TILE.never;
    const base = this.shown.volumes[0];
    if (base) base.cal_min = isShown ? SOLID_FROM : 0;
    this.shown.updateGLVolume();
  }

  close(): void {
    this.shown.cleanup();
  }
}

using System.Globalization;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging.Png;

namespace LatentBridge.Host.Demo;

/// <summary>What the demo makes of a run's previews: a contact sheet and a time-lapse.</summary>
static class DemoSheets
{
    const int PanelSide = 256;
    const int TimeLapseSide = 512;
    const int StepMilliseconds = 400;
    const int LastStepMilliseconds = 2000;
    const int Columns = 4;

    /// <summary>The sheet, as a PNG file.</summary>
    internal static byte[] ContactSheet(DemoRun run)
    {
        List<(Picture Picture, string Caption)> panels = [.. run.Previews.Select(preview => (
            Scale(Read(preview), PanelSide),
            string.Create(CultureInfo.InvariantCulture, $"{preview.Step + 1}/{run.StepCount}  {preview.Decoder}  {preview.Milliseconds:0.0} ms")))];
        return Canvas.ToPng(Sheets.ContactSheet.Compose(
            $"{run.Model}: {run.StepCount} steps through the bridge",
            "A simulated run: a photograph's latent, blurred and noised less each step. Under each picture: step, decoder, time from submit to PNG bytes in Python.",
            panels,
            Columns));
    }

    /// <summary>The run as an animated PNG file, every picture brought to one size.</summary>
    internal static byte[] TimeLapse(DemoRun run) => ApngWriter.Write([.. run.Previews.Select((preview, index) => new ApngFrame(
        Canvas.ToPng(Scale(Read(preview), TimeLapseSide)),
        index == run.Previews.Count - 1 ? LastStepMilliseconds : StepMilliseconds))]);

    static Picture Read(DemoPreview preview)
    {
        PngImage image = PngReader.Read(File.ReadAllBytes(preview.File));
        return new(image.ToRgb(), image.Width, image.Height);
    }

    static Picture Scale(Picture picture, int side)
    {
        int longest = Math.Max(picture.Width, picture.Height);
        return picture.Scale(Math.Max(1, picture.Width * side / longest), Math.Max(1, picture.Height * side / longest));
    }
}

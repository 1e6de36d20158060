using System.CommandLine;
using System.Globalization;
using LatentBridge.Host.Output;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging;
using LatentBridge.Imaging.Scaling;
using LatentBridge.Latents;
using LatentBridge.Previews;
using Newtonsoft.Json;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge inspect FILE</c>: what a latent is, in numbers and as one panel a channel.</summary>
sealed class InspectCommand
{
    const int PanelSide = 192;
    const int LargestPanelSide = 512;

    readonly Terminal _terminal;
    readonly Argument<string> _file = new Argument<string>("FILE") { Description = "A latent: .safetensors, .latent, .npy, .npz, .pt, .pth" }.WithoutOptions();
    readonly Option<string> _folder = new("--output", "-o") { Description = "Folder for the picture of the channels.", HelpName = "DIR", DefaultValueFactory = _ => "." };
    readonly Option<int> _item = new Option<int>("--item") { Description = "Item of a batch that the picture shows, counted from 0.", HelpName = "I" }.Within(0, int.MaxValue);
    readonly LatentOptions _latent;
    readonly Option<bool> _json;

    InspectCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        command.Add(_file);
        command.Add(_folder);
        _latent = new(command);
        command.Add(_item);
        _json = command.Json();
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("inspect", "Show a latent's shape, statistics and channels.");
        _ = new InspectCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        string file = parsed.GetValue(_file)!;
        LatentInput input = _latent.Open(parsed, file);
        int item = parsed.GetValue(_item);
        if (item >= input.Shape.Batch)
        {
            throw new InputException($"\"{file}\" holds {input.Shape.Batch} latents; there is no item {item}. Items are counted from 0.");
        }

        ChannelStatistics[] channels = ChannelStatistics.Of(input.View);
        string folder = parsed.GetValue(_folder)!;
        Directory.CreateDirectory(folder);
        string panels = Path.Combine(folder, Path.GetFileNameWithoutExtension(file) + ".channels.png");
        PreviewOptions options = _latent.Apply(parsed, PreviewOptions.Default) with { Batch = BatchChoice.Item, Item = item };
        File.WriteAllBytes(panels, Canvas.ToPng(DrawPanels(input, options)));

        if (parsed.GetValue(_json))
        {
            _terminal.WriteJson(json => WriteJson(json, input, channels, panels));
        }
        else
        {
            Say(input, channels, panels);
        }

        return ExitCode.Done;
    }

    void Say(LatentInput input, ChannelStatistics[] channels, string panels)
    {
        PictureSize picture = PictureSize.Of(input);
        _terminal.Say($"file      {input.Loaded.Path}");
        _terminal.Say($"tensor    {ShownText.Shorten(input.Loaded.Key)}, {input.Loaded.ElementType}, {input.Shape}");
        _terminal.Say($"axes      [{string.Join(", ", input.Loaded.Axes)}] as {input.Loaded.AxisOrder}");
        _terminal.Say($"format    {input.Format.Id} ({input.FormatReason})");
        _terminal.Say($"space     {(input.Loaded.Space == LatentSpace.Vae ? "vae" : "sampler")}");
        _terminal.Say($"picture   {picture}");
        _terminal.Say(Invariant($"latent    {picture.ElementRatio:0.#} times fewer values than the picture, {picture.ByteRatio:0.#} times fewer bytes"));

        foreach (string note in input.Loaded.Notes)
        {
            _terminal.Say($"note      {note}");
        }

        TextTable table = new("channel>", "min>", "max>", "mean>", "std>", "NaN, infinite>");
        foreach (ChannelStatistics channel in channels)
        {
            table.Add(
                Invariant($"{channel.Channel}"), Invariant($"{channel.Minimum:0.000}"), Invariant($"{channel.Maximum:0.000}"), Invariant($"{channel.Mean:0.000}"),
                Invariant($"{channel.StandardDeviation:0.000}"), Invariant($"{channel.NonFiniteCount}"));
        }

        _terminal.Write(table);
        _terminal.Say($"panels    {panels}");
    }

    static Picture DrawPanels(LatentInput input, PreviewOptions options)
    {
        using PreviewRenderer renderer = new(input.Format);
        renderer.Stage(input.View, options);
        LatentPlanes planes = renderer.Planes(0);
        (int width, int height) = PanelSize(planes.Width, planes.Height);

        ImageScaler scaler = new();
        byte[] small = new byte[3 * planes.PlaneLength];
        List<(Picture Picture, string Caption)> panels = [];
        for (int channel = 0; channel < planes.Channels; channel++)
        {
            ReadOnlySpan<float> plane = planes.Plane(channel);
            ChannelPanels.Draw(new LatentPlanes(plane, 1, planes.Height, planes.Width), small);
            byte[] pixels = new byte[3 * width * height];
            scaler.Scale(small, planes.Width, planes.Height, pixels, width, height, width < planes.Width ? ImageScaling.Smooth : ImageScaling.Nearest);
            (float least, float most) = Range(plane);
            panels.Add((new(pixels, width, height), Invariant($"{channel}: {least:0.0} to {most:0.0}")));
        }

        string unpacked = input.Format.Unpack > 1 ? Invariant($", unpacked to {planes.Channels} channels of {planes.Height} x {planes.Width}") : "";
        return ContactSheet.Compose(
            Path.GetFileName(input.Loaded.Path), $"{input.Format.Id} {input.Shape}{unpacked}; each channel from least (violet) to greatest (yellow)",
            panels, panels.Count is <= 4 or > 16 ? 8 : 4);
    }

    // Small latents are enlarged by a whole number, so that cells stay squares; large ones are reduced.
    static (int Width, int Height) PanelSize(int width, int height)
    {
        int longest = Math.Max(width, height);
        if (longest > LargestPanelSide)
        {
            double share = (double)LargestPanelSide / longest;
            return (Math.Max(1, (int)(width * share)), Math.Max(1, (int)(height * share)));
        }

        int factor = Math.Clamp((PanelSide + Math.Min(width, height) - 1) / Math.Min(width, height), 1, LargestPanelSide / longest);
        return (width * factor, height * factor);
    }

    static void WriteJson(JsonTextWriter json, LatentInput input, ChannelStatistics[] channels, string panels)
    {
        PictureSize picture = PictureSize.Of(input);
        json.WriteStartObject();
        Write("file", input.Loaded.Path);
        Write("key", input.Loaded.Key);
        Write("elementType", input.Loaded.ElementType.ToString());
        json.WritePropertyName("axes");
        json.WriteStartArray();
        foreach (long axis in input.Loaded.Axes)
        {
            json.WriteValue(axis);
        }

        json.WriteEndArray();
        Write("axisOrder", input.Loaded.AxisOrder);
        Write("format", input.Format.Id);
        Write("formatGuessed", input.IsGuess);
        Write("formatReason", input.FormatReason);
        Write("space", input.Loaded.Space == LatentSpace.Vae ? "vae" : "sampler");
        json.WritePropertyName("notes");
        json.WriteStartArray();
        foreach (string note in input.Loaded.Notes)
        {
            json.WriteValue(note);
        }

        json.WriteEndArray();
        Write("pictureWidth", picture.Width);
        Write("pictureHeight", picture.Height);
        Write("pictureFrames", picture.Frames);
        Write("timesFewerValues", Math.Round(picture.ElementRatio, 3));
        Write("timesFewerBytes", Math.Round(picture.ByteRatio, 3));
        Write("panels", panels);
        json.WritePropertyName("channels");
        json.WriteStartArray();
        foreach (ChannelStatistics channel in channels)
        {
            json.WriteStartObject();
            Write("channel", channel.Channel);
            Write("minimum", Finite(channel.Minimum));
            Write("maximum", Finite(channel.Maximum));
            Write("mean", Finite(channel.Mean));
            Write("standardDeviation", Finite(channel.StandardDeviation));
            Write("nonFinite", channel.NonFiniteCount);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();

        void Write(string name, object? value)
        {
            json.WritePropertyName(name);
            json.WriteValue(value);
        }

        static object? Finite(double value) => double.IsFinite(value) ? value : null;
    }

    static (float Least, float Most) Range(ReadOnlySpan<float> plane)
    {
        (float least, float most) = (plane[0], plane[0]);
        foreach (float value in plane)
        {
            (least, most) = (Math.Min(least, value), Math.Max(most, value));
        }

        return (least, most);
    }

    static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

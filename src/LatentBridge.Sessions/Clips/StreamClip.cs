using LatentBridge.Decoders.Taehv;
using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>A stream's moving picture: the frames of its newest latent, and what was made of each place so far.</summary>
/// <remarks>The session's lock guards it, except for <see cref="Take"/> and <see cref="Renderer"/>, which are the worker's alone.</remarks>
sealed class StreamClip : IDisposable
{
    /// <summary>Longest side of its pictures in pixels, unless a smaller size is wanted.</summary>
    const int LongestSide = 512;

    /// <summary>Pictures a second where neither the model nor anybody says.</summary>
    const int UsualRate = 16;

    Place[] _places = [];
    int[] _order = [];
    PreviewOptions? _from;

    /// <summary>Holds the frames of the newest latent.</summary>
    public PreviewRenderer? Renderer { get; private set; }

    /// <summary>Of the newest latent; its slot was given back.</summary>
    public LatentSlotHeader Header { get; private set; }

    /// <summary>What its model is called.</summary>
    public string? Model { get; private set; }

    /// <summary>What its pictures are.</summary>
    public PreviewOptions Options { get; private set; } = PreviewOptions.Default;

    /// <summary>When the newest latent came.</summary>
    public long Started { get; private set; }

    /// <summary>There may be a picture to make.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>No picture leaves before.</summary>
    public long NotBefore { get; set; }

    /// <summary>Places that a network has filled.</summary>
    public int Sharp => _places.Count(place => place.Quality >= NetworkQuality);

    public int Count => _places.Length;

    /// <summary>Cells of a frame.</summary>
    public long Cells => (long)Renderer!.PlaneHeight * Renderer.PlaneWidth;

    /// <summary>Pictures a second at which it lasts as long as the video.</summary>
    public double Rate
    {
        get
        {
            LatentFormat format = Renderer!.Format;
            double rate = Options.ClipRate > 0 ? Options.ClipRate : format.FramesPerSecond > 0 ? format.FramesPerSecond : UsualRate;
            return rate * Count / (Renderer.FrameCount * (double)format.TemporalCompression);
        }
    }

    /// <summary>Decoders of at least this quality are networks.</summary>
    public const int NetworkQuality = 50;

    /// <summary>Takes over all frames of a latent.</summary>
    /// <returns>False when it has only one.</returns>
    public bool Take(ReadOnlySpan<byte> values, Job job, IReadOnlyList<IPictureEncoder> encoders)
    {
        LatentSlotHeader header = job.Latent.Header;
        ReadOnlySpan<long> axes = ((ReadOnlySpan<long>)header.Axes)[..(int)header.AxisCount];
        if (job.Format is not { Dimensions: 3 } format || axes.Length < 4)
        {
            return false;
        }

        if (Renderer?.Format != format)
        {
            Renderer?.Dispose();
            Renderer = new PreviewRenderer(format, encoders) { TakesAllFrames = true };
        }

        Renderer.StageArray(values, (LatentElementType)header.ElementType, axes, job.Space, job.Options);
        return Renderer.FrameCount > 1;
    }

    /// <summary>The frames taken are the newest: places of an older step are made anew as time allows.</summary>
    public void Start(Job job)
    {
        Header = job.Latent.Header;
        Model = job.Model;
        Started = job.Latent.Timestamp;
        IsOpen = true;
        int count = Math.Min(Renderer!.FrameCount, job.Options.ClipPictures);
        if (count != Count)
        {
            _places = [.. Enumerable.Range(0, count).Select(_ => Place.Empty)];
            _order = Spread(count);
        }

        if (!ReferenceEquals(_from, job.Options))
        {
            _from = job.Options;
            Options = job.Options with
            {
                Size = job.Options.Size is > 0 and < LongestSide ? job.Options.Size : LongestSide,
                Batch = BatchChoice.First,
                Encoding = job.Options.Encoding == PreviewEncoding.Webp && Renderer.Encodes(PreviewEncoding.Webp) ? PreviewEncoding.Webp
                    : Renderer.Encodes(PreviewEncoding.Jpeg) ? PreviewEncoding.Jpeg : PreviewEncoding.Png,
            };
        }
    }

    /// <summary>Nothing more to make of the newest latent.</summary>
    public void Close() => IsOpen = false;

    /// <summary>The latent frame that a place shows.</summary>
    public int FrameOf(int place) => Count == 1 ? 0 : (int)Math.Round(place * (Renderer!.FrameCount - 1.0) / (Count - 1));

    /// <summary>Frames before the one that a place shows, as many as a decoder looks at.</summary>
    public int FramesBefore(int place) => Math.Min(FrameOf(place), TaehvDecoder.FramesBefore);

    /// <summary>The first place that holds nothing yet; null when all hold something.</summary>
    public int? Empty()
    {
        int place = Array.FindIndex(_places, held => held == Place.Empty);
        return place < 0 ? null : place;
    }

    /// <summary>The place that gains most by a picture of this quality: one without a network's, else the one of the oldest latent; null when none gains.</summary>
    public int? Worst(int quality)
    {
        int? oldest = null;
        foreach (int place in _order)
        {
            Place held = _places[place];
            if (held.Quality < Math.Min(quality, NetworkQuality))
            {
                return place;
            }

            if (held.Quality <= quality && held.Sequence < Header.Sequence && (oldest is null || held.Sequence < _places[oldest.Value].Sequence))
            {
                oldest = place;
            }
        }

        return oldest;
    }

    /// <summary>A place was filled.</summary>
    public void Fill(int place, int quality) => _places[place] = new(Header.Sequence, quality);

    /// <summary>Another run: nothing of this one is used.</summary>
    public void Forget()
    {
        _places = [];
        IsOpen = false;
    }

    public void Dispose()
    {
        Renderer?.Dispose();
        Renderer = null;
    }

    // First, last, middle, the middles of the halves and so on.
    static int[] Spread(int count)
    {
        List<int> order = [];
        for (int parts = 1; order.Count < count; parts *= 2)
        {
            for (int i = 0; i <= parts; i++)
            {
                int place = (int)Math.Round((double)i * (count - 1) / parts);
                if (!order.Contains(place))
                {
                    order.Add(place);
                }
            }
        }

        return [.. order];
    }

    /// <summary>What a place holds.</summary>
    /// <param name="Sequence">Of the latent that it was made of: steps may begin anew within a run.</param>
    /// <param name="Quality">Of the decoder that made it.</param>
    readonly record struct Place(ulong Sequence, int Quality)
    {
        public static readonly Place Empty = new(0, -1);
    }
}

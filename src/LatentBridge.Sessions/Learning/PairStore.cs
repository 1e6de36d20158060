using System.Globalization;
using LatentBridge.Files;
using LatentBridge.Fitting.Training;

namespace LatentBridge.Sessions;

/// <summary>The pairs of one latent space as files in a folder: at most 64 and 200 MB, about one in five only to measure with. Nobody else can read them.</summary>
/// <remarks>
/// A file's name says its number, its role and, by chance digits, who wrote it: two hosts never write the same one. Each is there whole or not at all. What has another version is left alone.
/// </remarks>
sealed class PairStore(string folder)
{
    internal const int MaximumPairs = 64;
    const long MaximumBytes = 200 << 20;
    const string Version = "1";
    const string Learn = "learn";
    const string Test = "test";
    const string Ending = ".safetensors";

    /// <summary>Of five pairs, the one that is only measured with.</summary>
    const int TestEvery = 5;

    /// <summary>Cells of a side that are kept, from the middle.</summary>
    const int LargestSide = 128;

    const int ThumbnailSide = 8;

    /// <summary>Longer ago than any write takes: what is left of a program that was killed.</summary>
    static readonly TimeSpan LongestWrite = TimeSpan.FromHours(1);

    /// <summary>Root of the mean square difference of two thumbnails, in steps of a byte, below which one picture is the other again.</summary>
    const double SamePicture = 4;

    /// <summary>Length of two latents' difference, in lengths of one, below which one is the other again.</summary>
    const double SameLatent = 0.1;

    /// <summary>Below which two are like each other, and the older goes first.</summary>
    const double LikePicture = 24;

    /// <summary>A pair's file.</summary>
    /// <param name="Path">The file.</param>
    /// <param name="Number">Pairs before it, those that went among them.</param>
    /// <param name="IsTest">Only measured with.</param>
    internal readonly record struct PairFile(string Path, int Number, bool IsTest);

    /// <summary>Pairs that ever came.</summary>
    public int Admitted => Files().Select(file => file.Number).DefaultIfEmpty(0).Max();

    /// <summary>The files, oldest first.</summary>
    public IReadOnlyList<PairFile> Files() =>
        [.. Paths(folder, "pair-*" + Ending).Select(Parse).OfType<PairFile>().OrderBy(file => file.Number).ThenBy(file => file.Path, StringComparer.Ordinal)];

    /// <summary>The files of a folder; none where it is gone, as another program may forget it at any time.</summary>
    internal static string[] Paths(string folder, string pattern = "*")
    {
        try
        {
            return Directory.GetFiles(folder, pattern);
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    /// <summary>Keeps a pair, in place of one that shows the same picture; what is too many goes.</summary>
    /// <exception cref="LatentBridgeException">It cannot be written; all others are still there.</exception>
    public void Add(PicturePair pair, string format)
    {
        PrivateFolder.Make(folder);
        pair = pair.Middle(LargestSide);
        byte[] thumbnail = Thumbnail(pair);
        PairFile[] files = [.. Files()];
        PairFile? same = files.Cast<PairFile?>().FirstOrDefault(file => Distance(thumbnail, ThumbnailOf(file!.Value)) < SamePicture);
        int number = Admitted + 1;
        bool isTest = same?.IsTest ?? IsTest(number);
        string path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"pair-{number:00000000}-{Random.Shared.Next():x8}-{(isTest ? Test : Learn)}{Ending}"));
        PrivateFolder.Write(path, file => SafetensorsWriter.Write(
            file,
            [
                StoredTensor.FromValues("latent", pair.Planes, [pair.Channels, pair.Height, pair.Width], TensorElementType.F16),
                new StoredTensor("picture", TensorElementType.U8, [pair.Height * pair.Side, pair.Width * pair.Side, 3], pair.Pixels),
            ],
            new Dictionary<string, string> { ["latentbridge_pair"] = Version, ["latent_format"] = format, ["thumbnail"] = Convert.ToBase64String(thumbnail) }));
        if (same is { } old)
        {
            File.Delete(old.Path);
        }

        Trim(isTest);
    }

    /// <summary>Every fifth, and two more at first: of the first eight pairs, three.</summary>
    internal static bool IsTest(int number) => number % TestEvery == 0 || number is 3 or 8;

    /// <summary>Whether one shows what the other does, or has its latent: measured with one, what was learned from the other proves nothing.</summary>
    public static bool IsSame(PicturePair a, PicturePair b) =>
        Distance(Thumbnail(a), Thumbnail(b)) < SamePicture
        || (a.Planes.Length == b.Planes.Length && a.Planes.Zip(b.Planes, (x, y) => (double)(x - y) * (x - y)).Sum() < SameLatent * SameLatent * a.Planes.Sum(x => (double)x * x));

    /// <summary>Reads a pair; null for one of another version or channels, damaged, without anything to learn from, or gone.</summary>
    public static PicturePair? Read(PairFile file, int channels)
    {
        try
        {
            using TensorFile tensors = TensorFile.Open(file.Path);
            if (tensors.Metadata.GetValueOrDefault("latentbridge_pair") != Version
                || tensors.Find("latent") is not { Dimensions: [var c, var height, var width] } latent || c != channels || height < 1 || width < 1
                || tensors.Find("picture") is not { ElementType: TensorElementType.U8, Dimensions: [var rows, var columns, 3] } picture
                || rows % height != 0 || rows * width != columns * height)
            {
                return null;
            }

            float[] planes = new float[latent.Length];
            byte[] pixels = new byte[picture.Length];
            latent.CopyTo(planes);
            picture.CopyBytesTo(pixels);
            PicturePair pair = new(planes, channels, (int)height, (int)width, pixels, (int)(rows / height));
            return pair.Problem is null ? pair : null;
        }
        catch (Exception e) when (e is LatentBridgeException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Takes away the older of the two most alike, or the oldest, of those with the role of the one that came; until the rest is few enough.</summary>
    void Trim(bool isTest)
    {
        foreach (FileInfo left in new DirectoryInfo(folder).GetFiles("*.partial").Where(file => DateTime.UtcNow - file.LastWriteTimeUtc > LongestWrite))
        {
            left.Delete();
        }

        PairFile[] files = [.. Files()];
        while (files.Length > MaximumPairs || (files.Length > 2 && files.Sum(file => Length(file.Path)) > MaximumBytes))
        {
            PairFile[] role = [.. files.Where(file => file.IsTest == isTest)];
            PairFile gone = role.Length > 1 ? LeastMissed(role) : files[0];
            File.Delete(gone.Path);
            files = [.. files.Where(file => file != gone)];
        }
    }

    static PairFile LeastMissed(PairFile[] files)
    {
        byte[][] thumbnails = [.. files.Select(ThumbnailOf)];
        (double distance, PairFile older) = (LikePicture, files[0]);
        for (int i = 0; i < files.Length; i++)
        {
            for (int j = i + 1; j < files.Length; j++)
            {
                if (Distance(thumbnails[i], thumbnails[j]) is var found && found < distance)
                {
                    (distance, older) = (found, files[i]);
                }
            }
        }

        return older;
    }

    /// <summary>Of a file; 0 where it is gone.</summary>
    internal static long Length(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;

    static byte[] Thumbnail(PicturePair pair)
    {
        byte[] small = new byte[3 * ThumbnailSide * ThumbnailSide];
        new Imaging.Scaling.ImageScaler().Scale(pair.Pixels, pair.Width * pair.Side, pair.Height * pair.Side, small, ThumbnailSide, ThumbnailSide, Imaging.Scaling.ImageScaling.Smooth);
        return small;
    }

    static byte[] ThumbnailOf(PairFile file)
    {
        try
        {
            using TensorFile tensors = TensorFile.Open(file.Path);
            return Convert.FromBase64String(tensors.Metadata.GetValueOrDefault("thumbnail", ""));
        }
        catch (Exception e) when (e is LatentBridgeException or IOException or UnauthorizedAccessException or FormatException)
        {
            return [];
        }
    }

    static double Distance(byte[] a, byte[] b) => a.Length == 0 || a.Length != b.Length ? double.PositiveInfinity : Math.Sqrt(a.Zip(b, (x, y) => (double)(x - y) * (x - y)).Average());

    static PairFile? Parse(string path)
    {
        string[] parts = Path.GetFileNameWithoutExtension(path).Split('-');
        return parts is [_, var number, _, Learn or Test] && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int parsed)
            ? new(path, parsed, parts[^1] == Test)
            : null;
    }
}

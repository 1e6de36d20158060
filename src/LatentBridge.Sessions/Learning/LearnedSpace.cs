using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Fitting;
using LatentBridge.Fitting.Training;
using LatentBridge.Formats;

namespace LatentBridge.Sessions;

/// <summary>What is kept of one latent space: its pairs, a training that was interrupted, and the decoder that came of it.</summary>
sealed class LearnedSpace(string folder, LatentFormat format)
{
    /// <summary>Above <c>tiny</c>, because it was measured to be better than all that are as quick; below TAESD.</summary>
    const int Quality = 61;

    /// <summary>The learned decoder's id.</summary>
    internal const string DecoderId = "learned";

    readonly LearnedFiles _files = new(folder);

    public LatentFormat Format => format;

    public PairStore Pairs { get; } = new(folder);

    public LearnedFiles Files => _files;

    public bool HasCheckpoint => File.Exists(_files.Checkpoint);

    /// <summary>The folder within that for what is kept, which is by default this user's; null where there is none.</summary>
    public static string? FolderIn(string? data) => CalibrationStore.FolderIn(data) is { } calibrations ? Path.Combine(Path.GetDirectoryName(calibrations)!, DecoderId) : null;

    /// <summary>A format's space below the folder of all.</summary>
    public static LearnedSpace In(string all, LatentFormat format) =>
        new(Path.Combine(all, string.Create(CultureInfo.InvariantCulture, $"{format.Id}-{format.PlaneChannels}")), format);

    /// <summary>The catalogue's entry of the learned decoder; null where there is none.</summary>
    /// <exception cref="LatentBridgeException">Its file is damaged.</exception>
    public DecoderEntry? Entry()
    {
        if (!File.Exists(_files.Decoder))
        {
            return null;
        }

        string pictures, psnr;
        using (TensorFile file = TensorFile.Open(_files.Decoder))
        {
            (pictures, psnr) = (file.Metadata.GetValueOrDefault("pairs", "?"), file.Metadata.GetValueOrDefault("psnr", "?"));
        }

        using ILatentDecoder decoder = TrainedWeights.Read(_files.Decoder).ToDecoder();
        if (decoder.Description.Channels != format.PlaneChannels)
        {
            throw new LatentBridgeException($"{_files.Decoder}: reads {decoder.Description.Channels} channels; {format.PlaneChannels} were expected. Delete it; a new one is made.");
        }

        DecoderDescription description = decoder.Description with { Id = DecoderId, Source = $"{pictures} pictures, {psnr} dB", Quality = Quality };
        return new(description, false, () => new DescribedDecoder(TrainedWeights.Read(_files.Decoder).ToDecoder(), description)) { File = _files.Decoder };
    }

    /// <summary>The same; null also where its file is damaged or of another version.</summary>
    public DecoderEntry? SoundEntry()
    {
        try
        {
            return Entry();
        }
        catch (Exception e) when (e is LatentBridgeException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Holds off other programs that would train the same; null while one does. A killed program lets go.</summary>
    /// <exception cref="LatentBridgeException">The folder cannot be written.</exception>
    public FileStream? TryLock()
    {
        FileStreamOptions options = new() { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (OperatingSystem.IsWindows())
        {
            options.Share = FileShare.Delete; // others may forget the whole folder, as they may elsewhere
        }
        else
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        try
        {
            return new(_files.Lock, options);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new LatentBridgeException($"{_files.Lock}: cannot be opened ({e.Message.TrimEnd('.')}).", e);
        }
        catch (IOException) when (File.Exists(_files.Lock))
        {
            return null;
        }
    }

    /// <summary>Keeps a decoder in place of the one before, which <see cref="LearnedFiles.RollBack"/> brings back.</summary>
    /// <exception cref="LatentBridgeException">It cannot be written; the one before stays.</exception>
    public void Write(TrainedWeights weights, int pairs, DecoderMeasure reached)
    {
        if (SoundEntry() is not null)
        {
            PrivateFolder.Copy(_files.Decoder, _files.Before);
        }

        PrivateFolder.Write(_files.Decoder, path => weights.Write(path, new Dictionary<string, string>
        {
            ["latent_format"] = format.Id,
            ["pairs"] = pairs.ToString(CultureInfo.InvariantCulture),
            ["psnr"] = reached.Psnr.ToString("0.0", CultureInfo.InvariantCulture),
            ["source"] = "learned by LatentBridge from this user's own pictures",
        }));
    }

    /// <summary>Goes on with an interrupted training of the same pairs.</summary>
    public void Restore(TinyTrainer trainer, string pairs)
    {
        if (!HasCheckpoint)
        {
            return;
        }

        try
        {
            using TensorFile file = TensorFile.Open(_files.Checkpoint);
            if (file.Metadata.GetValueOrDefault("pairs") == pairs)
            {
                trainer.Restore(file);
            }
        }
        catch (Exception e) when (e is LatentBridgeException or IOException or UnauthorizedAccessException)
        {
            // It starts over.
        }
    }

    /// <summary>Keeps all that is needed to go on after an interruption.</summary>
    /// <exception cref="LatentBridgeException">It cannot be written.</exception>
    public void Save(TinyTrainer trainer, string pairs) =>
        PrivateFolder.Write(_files.Checkpoint, path => SafetensorsWriter.Write(path, trainer.Save(), new Dictionary<string, string> { ["pairs"] = pairs }));

    /// <summary>The training is over.</summary>
    public void DropCheckpoint()
    {
        if (HasCheckpoint)
        {
            File.Delete(_files.Checkpoint);
        }
    }
}
